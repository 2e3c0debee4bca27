package authn_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The webhook without the wire.
func BenchmarkReview(b *testing.B) {
	f := newFixture(b)
	question := body(b, "v1", bearer(b, user1.creds, regional, "cluster"))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/authenticate", bytes.NewReader(question)))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
		f.log.Reset()
	}
}
