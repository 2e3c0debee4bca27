package sigv4

import (
	"crypto/sha256"
	"strings"
	"testing"
)

// The example of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html:
// 66,560 letters a in chunks of 64 KiB, 1 KiB and nothing.
const (
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleSeed   = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
)

func exampleChain() *Chain {
	return NewVerifier(1).Chain(&Signature{
		Date: "20130524", Timestamp: "20130524T000000Z", Region: "us-east-1", Service: "s3", Hex: exampleSeed,
	}, exampleSecret)
}

func TestChunkSignatures(t *testing.T) {
	chunks := []struct {
		data, signature string
	}{
		{strings.Repeat("a", 65536), "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"},
		{strings.Repeat("a", 1024), "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"},
		{"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
	}
	c := exampleChain()
	for i, chunk := range chunks {
		if err := c.Chunk(sha256.Sum256([]byte(chunk.data)), chunk.signature); err != nil {
			t.Fatalf("chunk %d: %v", i, err)
		}
	}
	for name, try := range map[string]func(c *Chain) error{
		"other data":  func(c *Chain) error { return c.Chunk(sha256.Sum256([]byte("b")), chunks[0].signature) },
		"other order": func(c *Chain) error { return c.Chunk(sha256.Sum256([]byte(chunks[1].data)), chunks[1].signature) },
		"no signature": func(c *Chain) error {
			return c.Chunk(sha256.Sum256([]byte(chunks[0].data)), "")
		},
		"a chunk's as a trailer's": func(c *Chain) error { return c.Trailer(sha256.Sum256([]byte(chunks[0].data)), chunks[0].signature) },
	} {
		if err := try(exampleChain()); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

// TestTrailerSignature is the example of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html.
func TestTrailerSignature(t *testing.T) {
	c := NewVerifier(1).Chain(&Signature{
		Date: "20130524", Timestamp: "20130524T000000Z", Region: "us-east-1", Service: "s3",
		Hex: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
	}, exampleSecret)
	for i, chunk := range []struct{ data, signature string }{
		{strings.Repeat("a", 65536), "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"},
		{strings.Repeat("a", 1024), "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"},
		{"", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
	} {
		if err := c.Chunk(sha256.Sum256([]byte(chunk.data)), chunk.signature); err != nil {
			t.Fatalf("chunk %d: %v", i, err)
		}
	}
	const right = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
	if err := c.Trailer(sha256.Sum256([]byte("x-amz-checksum-crc32c:sOO8/Q==\n")), right); err != nil {
		t.Error(err)
	}
	if err := c.Trailer(sha256.Sum256([]byte("x-amz-checksum-crc32c:AAAAAA==\n")), right); err == nil {
		t.Error("another trailer verified")
	}
}
