package api

import "io"

// Body is what an operation that takes its body as a stream reads. It ends with
// io.EOF only after signature, hash and checksums were found right, and with an
// AWS error if they weren't: what was read until then must not be shown to anyone.
type Body interface {
	io.ReadCloser
	// Size is the length that the client declared, without what the encoding adds;
	// -1 when it declared none.
	Size() int64
	// Checksum is the checksum that the client sent or announced, as S3 names its
	// algorithm (CRC32, CRC32C, CRC64NVME, SHA1, SHA256), "" without. The value, in
	// base64, is there after io.EOF.
	Checksum() (algorithm, value string)
}
