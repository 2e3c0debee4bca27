// Package client is the HTTP client that the SDK calls a front door with.
//
// The SDK closes a request's body as soon as the answer begins. net/http may look for
// the body's end only then, when the server answers fast, and smithy-go's body, if it is
// asked to write itself (io.WriterTo), says io.EOF after it was closed, which is an error
// there: the connection is closed, and the rest of the answer is lost ("use of closed
// network connection"). Here bodies can only be read, and end well.
package client

import (
	"io"
	"net/http"
)

// New makes a client over a transport; nil is one of the default's settings.
func New(t *http.Transport) *http.Client {
	if t == nil {
		t = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &http.Client{Transport: readOnly{t}}
}

type readOnly struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t readOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := r.Body.(io.WriterTo); ok {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return t.Transport.RoundTrip(r)
}
