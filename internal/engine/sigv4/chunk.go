package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// The values of x-amz-content-sha256 of a body that comes in chunks (aws-chunked),
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html.
const (
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// SignedChunks reports whether each chunk of the body carries a signature.
func (s *Signature) SignedChunks() bool {
	return s.Payload == StreamingSigned || s.Payload == StreamingSignedTrailer
}

// Trailing reports whether headers follow the body's chunks.
func (s *Signature) Trailing() bool {
	return s.Payload == StreamingSignedTrailer || s.Payload == StreamingUnsignedTrailer
}

// Chain verifies the signatures of a body's chunks: each signs the one before it,
// the first that of the request. It belongs to one request.
type Chain struct {
	key      *signingKey
	scope    string // "20130524T000000Z\n20130524/us-east-1/s3/aws4_request"
	previous string
}

// Chain starts with a signature that Verify found good.
func (v *Verifier) Chain(sig *Signature, secret string) *Chain {
	return &Chain{
		key:      v.keys.get(keyName{secret, sig.Date, sig.Region, sig.Service}),
		scope:    sig.Timestamp + "\n" + sig.Date + "/" + sig.Region + "/" + sig.Service + "/" + terminator,
		previous: sig.Hex,
	}
}

// emptyHash is the hash of nothing: chunks have no headers of their own.
var emptyHash = func() string {
	sum := sha256.Sum256(nil)
	return hex.EncodeToString(sum[:])
}()

// Chunk checks the signature of the next chunk, of which hash is the SHA-256. The
// last chunk is the empty one.
func (c *Chain) Chunk(hash [sha256.Size]byte, given string) error {
	return c.link(Algorithm+"-PAYLOAD\n"+c.scope+"\n"+c.previous+"\n"+emptyHash+"\n", hash, given)
}

// Trailer checks the signature of the headers after the last chunk, of which hash
// is the SHA-256: a line "name:value\n" for each.
func (c *Chain) Trailer(hash [sha256.Size]byte, given string) error {
	return c.link(Algorithm+"-TRAILER\n"+c.scope+"\n"+c.previous+"\n", hash, given)
}

func (c *Chain) link(head string, hash [sha256.Size]byte, given string) error {
	sum := c.key.sum(hex.AppendEncode([]byte(head), hash[:]))
	right := hex.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(right), []byte(strings.ToLower(given))) != 1 {
		return refuse(Mismatch, textMismatch)
	}
	c.previous = right
	return nil
}
