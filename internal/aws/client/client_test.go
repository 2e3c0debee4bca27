package client

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// late is a connection that returns from writing after the answer has begun.
type late struct{ net.Conn }

func (l late) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	time.Sleep(20 * time.Millisecond)
	return n, err
}

// The end of a body is looked for after the answer has begun, and the answer ends after
// that.
func TestAnswersBeforeTheRequestEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, "<ListUsersResponse>")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(100 * time.Millisecond)
		_, _ = io.WriteString(w, "<ListUsersResult><IsTruncated>false</IsTruncated></ListUsersResult></ListUsersResponse>")
	}))
	defer server.Close()
	call := func(wrap func(*http.Transport) *http.Client) error {
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return late{c}, err
		}}
		defer transport.CloseIdleConnections()
		_, err := iam.New(iam.Options{
			Region: "us-west-2", BaseEndpoint: &server.URL, HTTPClient: wrap(transport), RetryMaxAttempts: 1, Credentials: aws.AnonymousCredentials{},
		}).ListUsers(t.Context(), &iam.ListUsersInput{})
		return err
	}
	if err := call(New); err != nil {
		t.Errorf("with this client: %v", err)
	}
	var err error
	for try := 0; err == nil && try < 20; try++ { // a busy machine may have it in order
		err = call(func(t *http.Transport) *http.Client { return &http.Client{Transport: t} })
	}
	if err == nil || !strings.Contains(err.Error(), "use of closed network connection") {
		t.Errorf("without it: %v; if the SDK was mended, delete this package", err)
	}
}
