package wire

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// mostInflated is how many bytes a compressed body may have in truth: what PutMetricData
// takes, the one operation of the services here whose clients compress.
// https://smithy.io/2.0/spec/behavior-traits.html#requestcompression-trait
const mostInflated = 1 << 20

// compressed says whether a body is, as the SDKs compress those above 10,240 bytes.
func compressed(r *http.Request) bool {
	return strings.EqualFold(strings.TrimSpace(r.Header.Get("Content-Encoding")), "gzip")
}

func inflate(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, serialization("The body is not compressed by gzip, as Content-Encoding says")
	}
	plain, err := io.ReadAll(io.LimitReader(z, mostInflated+1))
	switch {
	case err != nil:
		return nil, serialization("The body is not compressed by gzip, as Content-Encoding says")
	case len(plain) > mostInflated:
		return nil, errorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The uncompressed body has more than %d bytes", mostInflated)
	}
	return plain, nil
}
