package authn_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authnv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/eksact/eksact/internal/kube/authn"
)

// selfSigned is a certificate for 127.0.0.1, both ways.
func selfSigned(t testing.TB) (tls.Certificate, []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "webhook"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// serve runs a webhook on loopback until the test ends.
func serve(t *testing.T, f *fixture, c *tls.Config) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.handler.Serve(ctx, l, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "https://" + l.Addr().String()
}

// The configuration file that the API server gets leads a client of its own
// kind, client-go's, to an answer; nobody without its certificate gets one.
func TestServe(t *testing.T) {
	f := newFixture(t)
	cert, ca := selfSigned(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	url := serve(t, f, authn.TLSConfig(cert, pool))

	dir := t.TempDir()
	certFile, keyFile, configFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "config")
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	config, err := authn.WebhookConfig(url, ca, certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{certFile: ca, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), configFile: config} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	restConfig, err := clientcmd.BuildConfigFromFlags("", configFile)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(restConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	r, err := client.Post(restConfig.Host, "application/json", bytes.NewReader(body(t, "v1", bearer(t, user1.creds, regional, "cluster"))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var review authnv1.TokenReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.ProtoMajor != 2 || review.Status.User.Username != "user1" {
		t.Errorf("HTTP/%d: %+v, %v", r.ProtoMajor, review, err)
	}

	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer stranger.CloseIdleConnections()
	if r, err := stranger.Post(url+"/authenticate", "application/json", bytes.NewReader(body(t, "v1", ""))); err == nil {
		r.Body.Close()
		t.Errorf("a client without a certificate got %s", r.Status)
	}
}

// A token of 1 MB is refused at once, and its sender hears so, in both versions
// of HTTP.
func TestMegabyteOverTheWire(t *testing.T) {
	f := newFixture(t)
	cert, ca := selfSigned(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	url := serve(t, f, authn.TLSConfig(cert, nil))
	for _, h2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2}}
		began := time.Now()
		r, err := client.Post(url+"/authenticate", "application/json", bytes.NewReader(body(t, "v1", "k8s-aws-v1."+strings.Repeat("A", 1<<20))))
		if err != nil {
			t.Fatalf("HTTP/2 %t: %v", h2, err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusForbidden || !strings.Contains(string(text), `"status":{"user":{}}`) {
			t.Errorf("HTTP/2 %t: %s %s %v", h2, r.Status, text, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("HTTP/2 %t: took %v", h2, took)
		}
		client.CloseIdleConnections()
	}
}

// An API server that has just started is answered when it can act on it; it is
// asked once for each connection.
func TestANewAPIServerIsAnsweredWhenItIsSettled(t *testing.T) {
	f := newFixture(t)
	settled, asked := make(chan struct{}), make(chan struct{}, 10)
	f.handler.Settled = func(ctx context.Context) error {
		asked <- struct{}{}
		select {
		case <-settled:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	cert, _ := selfSigned(t)
	url := serve(t, f, authn.TLSConfig(cert, nil))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	answers := make(chan int, 3)
	post := func() {
		r, err := client.Post(url+"/authenticate", "application/json", bytes.NewReader(body(t, "v1", bearer(t, user1.creds, regional, "cluster"))))
		if err != nil {
			t.Error(err)
			answers <- 0
			return
		}
		r.Body.Close()
		answers <- r.StatusCode
	}
	go post()
	<-asked
	go post() // waits on the same connection
	select {
	case code := <-answers:
		t.Fatalf("answered with %d before the API server was settled", code)
	case <-time.After(50 * time.Millisecond):
	}
	close(settled)
	for range 2 {
		if code := <-answers; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
	}
	post()
	if len(asked) != 0 {
		t.Errorf("asked %d times more", len(asked))
	}
}
