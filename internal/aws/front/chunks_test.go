package front

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/eksact/eksact/internal/aws/api"
)

func unsigned(size int, trailing bool, body io.Reader) *chunks {
	c, err := newChunks(body, http.Header{"X-Amz-Decoded-Content-Length": {fmt.Sprint(size)}})
	if err != nil {
		panic(err)
	}
	c.trailing = trailing
	return c
}

func TestChunks(t *testing.T) {
	for _, tc := range []struct {
		body, want string
		trailing   bool
		err        error
	}{
		{"5\r\nhello\r\n0\r\n\r\n", "hello", false, nil},
		{"5;chunk-signature=abc\r\nhello\r\n0;chunk-signature=abc\r\n\r\n", "hello", false, nil},
		{"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello", false, nil},
		{"0\r\n\r\n", "", false, nil},
		{"0\r\n", "", false, nil},
		{"A\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "0123456789", true, nil},
		{"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "", false, errTrailer},
		{"5\r\nhello\r\n0\r\nno colon\r\n\r\n", "", true, errTrailer},
		{"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n", "", true, errIncomplete},
		{"5\r\nhell", "", false, errIncomplete},
		{"5\r\nhello", "", false, errIncomplete},
		{"", "", false, errIncomplete},
		{"5\nhello\n0\n\n", "", false, errChunkForm},
		{"5\r\nhelloo\r\n0\r\n\r\n", "", false, errChunkForm},
		{"+5\r\nhello\r\n0\r\n\r\n", "", false, errChunkForm},
		{"-5\r\nhello\r\n0\r\n\r\n", "", false, errChunkForm},
		{"x\r\nhello\r\n0\r\n\r\n", "", false, errChunkForm},
		{"\r\nhello\r\n0\r\n\r\n", "", false, errChunkForm},
		{"5\r\nhello\r\n0\r\n\r\nmore", "", false, errChunkForm},
		{strings.Repeat("0", mostOfChunkLine+1) + "\r\n", "", false, errChunkForm},
	} {
		for _, r := range []io.Reader{strings.NewReader(tc.body), iotest.OneByteReader(strings.NewReader(tc.body))} {
			got, err := io.ReadAll(unsigned(len(tc.want), tc.trailing, r))
			if tc.err != nil && !errors.Is(err, tc.err) || tc.err == nil && (err != nil || string(got) != tc.want) {
				t.Errorf("%.60q: %q, %v; want %q, %v", tc.body, got, err, tc.want, tc.err)
			}
		}
	}
	if _, err := newChunks(strings.NewReader(""), http.Header{}); err == nil {
		t.Error("a body in chunks without a length was taken")
	}
}

// FuzzChunks: whatever comes, it is taken apart or refused with an error of S3's,
// and what was put together comes apart.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), uint8(3))
	f.Add([]byte("0\r\na:b\r\n\r\n"), uint8(1))
	f.Add([]byte("ffffffffffffffff\r\n"), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		for _, trailing := range []bool{false, true} {
			_, err := io.ReadAll(unsigned(len(data), trailing, bytes.NewReader(data)))
			var said *api.Error
			if err != nil && !errors.As(err, &said) {
				t.Fatalf("%q: %v", data, err)
			}
		}
		var body bytes.Buffer
		for rest := data; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			fmt.Fprintf(&body, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		body.WriteString("0\r\n\r\n")
		if got, err := io.ReadAll(unsigned(len(data), false, &body)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%q came apart as %q, %v", data, got, err)
		}
	})
}
