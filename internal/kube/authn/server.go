package authn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/eksact/eksact/internal/drain"
)

// TLSConfig is how the webhook serves. With clientCAs, only who holds a
// certificate of theirs gets an answer: give the API server one, and nobody else
// in its network can use the webhook to try tokens.
func TLSConfig(cert tls.Certificate, clientCAs *x509.CertPool) *tls.Config {
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if clientCAs != nil {
		c.ClientCAs, c.ClientAuth = clientCAs, tls.RequireAndVerifyClientCert
	}
	return c
}

// Serve answers on a listener of plain TCP until ctx ends, then finishes the
// requests at hand. The listener may outlive it in another process that shares
// the socket: callers then wait in its queue.
func (h *Handler) Serve(ctx context.Context, l net.Listener, tlsConfig *tls.Config) error {
	server := &http.Server{
		Handler:           h,
		ErrorLog:          h.Log.httpErrors(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ConnContext:       newGate,
	}
	if err := drain.Serve(ctx, server, tls.NewListener(l, tlsConfig), patience); err != nil {
		return fmt.Errorf("token webhook of cluster %s: %w", h.Cluster, err)
	}
	return nil
}

// WebhookConfig is the file for kube-apiserver's
// --authentication-token-webhook-config-file, a kubeconfig in JSON. The server
// is "https://HOST:PORT", ca the PEM of what signed the webhook's certificate;
// certFile and keyFile are the API server's client certificate, or "".
// The flag --authentication-token-webhook-version=v1 belongs to it.
func WebhookConfig(server string, ca []byte, certFile, keyFile string) ([]byte, error) {
	type object = map[string]any
	user := object{}
	if certFile != "" {
		user = object{"client-certificate": certFile, "client-key": keyFile}
	}
	return json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "webhook",
		"clusters": []object{{"name": "aws-iam-authenticator", "cluster": object{
			"server": server + "/authenticate", "certificate-authority-data": ca,
		}}},
		"users":    []object{{"name": "apiserver", "user": user}},
		"contexts": []object{{"name": "webhook", "context": object{"cluster": "aws-iam-authenticator", "user": "apiserver"}}},
	}, "", "  ")
}
