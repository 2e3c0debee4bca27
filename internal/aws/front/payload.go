package front

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
)

// Errors of bodies (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var (
	errIncomplete           = api.Errorf(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
	errHashMismatch         = api.Errorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	errMD5Mismatch          = api.Errorf(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	errInvalidDigest        = api.Errorf(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid.")
	errChunkForm            = api.Errorf(http.StatusBadRequest, "InvalidRequest", "The body is not in the form of aws-chunked that x-amz-content-sha256 announces.")
	errMissingDecodedLength = api.Errorf(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	errDeclared             = api.Errorf(http.StatusBadRequest, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
	errTrailer              = api.Errorf(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
)

// crc64NVME is the polynomial of CRC-64/NVME, reflected.
var crc64NVME = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// checksums are S3's algorithms, by the end of their header's name
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
var checksums = []struct {
	header, name string
	new          func() hash.Hash
}{
	{"x-amz-checksum-crc32", "CRC32", func() hash.Hash { return crc32.NewIEEE() }},
	{"x-amz-checksum-crc32c", "CRC32C", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
	{"x-amz-checksum-crc64nvme", "CRC64NVME", func() hash.Hash { return crc64.New(crc64NVME) }},
	{"x-amz-checksum-sha1", "SHA1", sha1.New},
	{"x-amz-checksum-sha256", "SHA256", sha256.New},
}

// payload is a body that is checked as it is read. It implements api.Body.
type payload struct {
	src    io.Reader
	chunks *chunks // of aws-chunked, else nil
	size   int64   // declared; -1 unknown
	read   int64
	end    error // once reached

	sha256, md5   hash.Hash // nil: not declared
	wantSHA, want []byte    // of SHA-256 and MD5

	sum                     hash.Hash // of the checksum
	sumName, sumHeader      string
	sumGiven, sumCalculated string // base64
}

// checks reads what the head says of the body: Content-MD5 and one checksum.
func (b *payload) checks(h http.Header) error {
	if given := h.Get("Content-Md5"); given != "" {
		want, err := base64.StdEncoding.DecodeString(given)
		if err != nil || len(want) != md5.Size {
			return errInvalidDigest
		}
		b.md5, b.want = md5.New(), want
	}
	trailer := strings.ToLower(strings.TrimSpace(h.Get("X-Amz-Trailer")))
	for name := range h {
		name = strings.ToLower(name)
		if !strings.HasPrefix(name, "x-amz-checksum-") || name == "x-amz-checksum-type" || name == "x-amz-checksum-algorithm" || name == "x-amz-checksum-mode" {
			continue
		}
		if b.sum != nil || trailer != "" {
			return api.Errorf(http.StatusBadRequest, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		if err := b.choose(name); err != nil {
			return err
		}
		b.sumGiven = h.Get(name)
		if raw, err := base64.StdEncoding.DecodeString(b.sumGiven); err != nil || len(raw) != b.sum.Size() {
			return api.Errorf(http.StatusBadRequest, "InvalidRequest", "Value for %s header is invalid.", name)
		}
	}
	if trailer != "" {
		return b.choose(trailer)
	}
	return nil
}

func (b *payload) choose(header string) error {
	for _, c := range checksums {
		if c.header == header {
			b.sum, b.sumName, b.sumHeader = c.new(), c.name, header
			return nil
		}
	}
	return api.Errorf(http.StatusNotImplemented, "NotImplemented", "The checksum %s is not implemented.", header)
}

func parseSHA256(declared string) ([]byte, error) {
	want, err := hex.DecodeString(declared)
	if err != nil || len(want) != sha256.Size {
		return nil, errDeclared
	}
	return want, nil
}

// Read passes the body on, and its end only if all that was declared is right.
func (b *payload) Read(p []byte) (int, error) {
	if b.end != nil {
		return 0, b.end
	}
	n, err := b.src.Read(p)
	b.read += int64(n)
	for _, h := range []hash.Hash{b.sha256, b.md5, b.sum} {
		if h != nil {
			h.Write(p[:n])
		}
	}
	if b.size >= 0 && b.read > b.size {
		err = errIncomplete
	}
	if err == io.EOF {
		err = b.verdict()
	}
	b.end = err
	return n, err
}

func (b *payload) verdict() error {
	if b.size >= 0 && b.read != b.size {
		return errIncomplete
	}
	if b.sha256 != nil && string(b.sha256.Sum(nil)) != string(b.wantSHA) {
		return errHashMismatch
	}
	if b.md5 != nil && string(b.md5.Sum(nil)) != string(b.want) {
		return errMD5Mismatch
	}
	if b.sum == nil {
		return io.EOF
	}
	b.sumCalculated = base64.StdEncoding.EncodeToString(b.sum.Sum(nil))
	if b.sumGiven == "" && b.chunks != nil {
		b.sumGiven = b.chunks.trailer[b.sumHeader]
	}
	switch b.sumGiven {
	case "":
		return errTrailer
	case b.sumCalculated:
		return io.EOF
	}
	return api.Errorf(http.StatusBadRequest, "BadDigest", "The %s you specified did not match the calculated checksum.", b.sumName)
}

func (b *payload) Close() error { return nil }

// Size implements api.Body.
func (b *payload) Size() int64 { return b.size }

// Checksum implements api.Body.
func (b *payload) Checksum() (algorithm, value string) { return b.sumName, b.sumCalculated }
