// Command tokenreview measures the token webhook: the time from sending a
// TokenReview to having read its answer, over TLS and HTTP/2 on loopback, by one
// client and by sixteen. Beside it, as the floor, a bare net/http server that
// answers the same bytes without looking at the question. It prints Markdown.
//
//	go run ./bench/tokenreview [-n 20000]
//
// What is measured is the real thing: every token is presigned, its signature
// verified, its role looked up among 500 mappings, its two log lines written to
// a file. Each of 200 sessions sends tokens of its own.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/engine/token"
	"github.com/eksact/eksact/internal/kube/authn"
)

const (
	account  = "111122223333"
	sessions = 200
	roles    = 500
)

func main() {
	n := flag.Int("n", 20000, "requests per row")
	flag.Parse()
	if err := run(*n); err != nil {
		fmt.Fprintln(os.Stderr, "tokenreview:", err)
		os.Exit(1)
	}
}

func run(n int) error {
	log, err := os.CreateTemp("", "authenticator-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	handler, err := webhook(log)
	if err != nil {
		return err
	}
	bodies, err := questions()
	if err != nil {
		return err
	}
	answer, err := firstAnswer(handler, bodies[0])
	if err != nil {
		return err
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the sender's trouble, not the floor's
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = w.Write(answer)
	})

	fmt.Printf("TokenReview, %d requests a row, %d CPUs, %s\n\n", n, runtime.NumCPU(), runtime.Version())
	fmt.Println("| server | clients | requests/s | p50 | p99 | max |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, row := range []struct {
		name    string
		handler http.Handler
	}{{"token webhook", handler}, {"bare net/http, same bytes", bare}} {
		for _, clients := range []int{1, 16} {
			m, err := measure(row.handler, bodies, clients, n)
			if err != nil {
				return fmt.Errorf("%s, %d clients: %w", row.name, clients, err)
			}
			fmt.Printf("| %s | %d | %.0f | %s | %s | %s |\n", row.name, clients, m.rate, show(m.p50), show(m.p99), show(m.max))
		}
	}
	return nil
}

func show(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func keyID(i int) string { return fmt.Sprintf("ASIABENCH%07d", i) }

// keyring holds the sessions, each of a role of its own.
type keyring map[string]authn.Principal

func (k keyring) Resolve(_ context.Context, id, _ string, _ time.Time) (string, authn.Principal, error) {
	who, ok := k[id]
	if !ok {
		return "", who, &authn.Refusal{Status: 403, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}
	}
	return "secret-of-" + id, who, nil
}

// webhook is the handler of a cluster with many mappings.
func webhook(log io.Writer) (*authn.Handler, error) {
	keys := keyring{}
	for i := range sessions {
		keys[keyID(i)] = authn.Principal{
			ARN:       fmt.Sprintf("arn:aws:sts::%s:assumed-role/role-%d/session", account, i),
			AccountID: account, UserID: fmt.Sprintf("AROABENCH%d:session", i),
		}
	}
	var mapRoles strings.Builder
	for i := range roles {
		fmt.Fprintf(&mapRoles, "- rolearn: arn:aws:iam::%s:role/role-%d\n  username: user-%d:{{SessionName}}\n  groups: [group-%d, everyone]\n", account, i, i, i)
	}
	m, errs := mapping.Compile(map[string]string{"mapRoles": mapRoles.String()})
	if len(errs) > 0 {
		return nil, errs[0]
	}
	creator, err := mapping.NewCreator("arn:aws:iam::" + account + ":user/admin")
	if err != nil {
		return nil, err
	}
	hosts, err := token.AllowHosts("aws")
	if err != nil {
		return nil, err
	}
	return (&authn.Handler{
		Cluster: "cluster", Hosts: hosts, Credentials: keys,
		Sources: []authn.Source{authn.Fixed(creator), authn.Fixed(m)},
		Log:     authn.NewLog(log, time.Now),
	}).Ready()
}

// questions are the TokenReviews, one a session.
func questions() ([][]byte, error) {
	var bodies [][]byte
	for i := range sessions {
		tok, err := token.New(token.Credentials{
			AccessKeyID: keyID(i), SecretAccessKey: "secret-of-" + keyID(i), SessionToken: strings.Repeat("s", 400),
		}, "https://sts.us-west-2.amazonaws.com", "us-west-2", "cluster", time.Now())
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(map[string]any{
			"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": map[string]any{"token": tok.Value},
		})
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

type result struct {
	rate          float64
	p50, p99, max time.Duration
}

// serve starts a server on loopback and answers with a client for it that, as an
// API server's, speaks HTTP/2 over one connection.
func serve(h http.Handler) (url string, client *http.Client, stop func(), err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return "", nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() {
		_ = server.Serve(tls.NewListener(l, authn.TLSConfig(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil)))
	}()
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	return "https://" + l.Addr().String() + "/authenticate", client, func() { client.CloseIdleConnections(); _ = server.Close() }, nil
}

func ask(client *http.Client, url string, body []byte) ([]byte, error) {
	r, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err == nil && (r.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(`"authenticated":true`))) {
		err = fmt.Errorf("%s: %s", r.Status, answer)
	}
	return answer, err
}

func firstAnswer(h http.Handler, body []byte) ([]byte, error) {
	url, client, stop, err := serve(h)
	if err != nil {
		return nil, err
	}
	defer stop()
	return ask(client, url, body)
}

// measure has clients send n requests in all, each its next when its last was
// answered, after a tenth of that to warm up.
func measure(h http.Handler, bodies [][]byte, clients, n int) (result, error) {
	url, client, stop, err := serve(h)
	if err != nil {
		return result{}, err
	}
	defer stop()
	for i := range max(n/10, 1) {
		if _, err := ask(client, url, bodies[i%len(bodies)]); err != nil {
			return result{}, err
		}
	}
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, clients)
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				sent := time.Now()
				if _, err := ask(client, url, bodies[i%int64(len(bodies))]); err != nil {
					failed <- err
					return
				}
				took[i] = time.Since(sent)
			}
		})
	}
	wg.Wait()
	all := time.Since(began)
	select {
	case err := <-failed:
		return result{}, err
	default:
	}
	slices.Sort(took)
	return result{float64(n) / all.Seconds(), took[n/2], took[n*99/100], took[n-1]}, nil
}
