package relay

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProbeTellsWhyNoneAnswers(t *testing.T) {
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	const nobody = "http://127.0.0.1:1"
	for _, c := range []struct {
		endpoints []string
		want      string // of the error; "" for none
	}{
		{[]string{plain.URL}, ""},
		{[]string{plain.URL + "/"}, ""},
		{[]string{nobody, plain.URL}, ""},
		{[]string{nobody}, "connection refused"},
		{[]string{secure.URL}, "certificate signed by unknown authority"},
		{[]string{nobody, secure.URL}, "etcd at " + nobody},
		{[]string{"127.0.0.1:2379"}, "is not of the form http://host:port"},
	} {
		err := Options{Endpoints: c.endpoints}.Probe(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.endpoints, err, c.want)
		}
	}
}
