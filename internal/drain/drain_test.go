package drain

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// server runs until stop is called, which tells how long the end took.
func server(t *testing.T, grace time.Duration, handler http.HandlerFunc) (client *http.Client, url string, stop func() time.Duration) {
	t.Helper()
	keys := httptest.NewUnstartedServer(nil) // for its certificate
	keys.StartTLS()
	defer keys.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	config := &tls.Config{Certificates: keys.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	go func() { done <- Serve(ctx, &http.Server{Handler: handler}, tls.NewListener(l, config), grace) }()
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	return client, "https://" + l.Addr().String(), func() time.Duration {
		began := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		return time.Since(began)
	}
}

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	if r.ProtoMajor != 2 {
		t.Errorf("it speaks %s, want HTTP/2", r.Proto)
	}
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

func TestAnIdleConnectionIsNotWaitedFor(t *testing.T) {
	client, url, stop := server(t, 10*time.Second, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "done") })
	if text, err := get(t, client, url); text != "done" {
		t.Fatalf("%q, %v", text, err)
	}
	if took := stop(); took > 8*time.Second {
		t.Errorf("the end took %v", took)
	}
	if _, err := get(t, client, url); err == nil {
		t.Error("it answers after its end")
	}
}

func TestRequestsAtHandAreAnswered(t *testing.T) {
	begun := make(chan struct{})
	client, url, stop := server(t, 10*time.Second, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		time.Sleep(4 * quiet)
		io.WriteString(w, "late")
	})
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := get(t, client, url)
		got <- answer{text, err}
	}()
	<-begun
	if took := stop(); took < 3*quiet {
		t.Errorf("the end took %v, less than the request at hand", took)
	}
	if a := <-got; a.text != "late" {
		t.Errorf("it was answered with %q, %v", a.text, a.err)
	}
}

func TestGraceHasAnEnd(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	client, url, stop := server(t, 100*time.Millisecond, func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-release
	})
	failed := make(chan error, 1)
	go func() {
		_, err := get(t, client, url)
		failed <- err
	}()
	<-begun
	if took := stop(); took > 8*time.Second {
		t.Errorf("the end took %v", took)
	}
	if err := <-failed; err == nil {
		t.Error("what was cut off seems answered")
	}
}

func TestAListenerThatFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), &http.Server{Handler: http.NotFoundHandler()}, l, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
}
