package controlplane

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/netns"
)

// Plane talks to a cluster's API as the daemon itself.
type Plane struct {
	cluster  string
	config   *rest.Config
	client   kubernetes.Interface
	objects  dynamic.Interface
	metadata metadata.Interface
	dns      string // address of the cluster's DNS
	webhook  any    // data of webhooks.yaml; nil without
}

// Open prepares to talk to the cluster's API; nothing is sent yet.
func (c Config) Open(b *pki.Bundle) (*Plane, error) {
	config := c.REST(b)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	p := &Plane{cluster: c.Name, config: config, client: client, objects: objects, metadata: meta, dns: c.DNSAddress().String()}
	if c.IdentityWebhook != "" {
		p.webhook = map[string]any{"Address": c.IdentityWebhook, "CA": base64.StdEncoding.EncodeToString(b.LoopbackCAPEM())}
	}
	return p, nil
}

// REST is how the daemon reaches the API: by its own certificate (group
// system:masters), inside the control plane's network namespace. It has no
// client-side limit on requests; set a UserAgent before use.
func (c Config) REST(b *pki.Bundle) *rest.Config {
	cert, key := b.Admin()
	dial := netns.Dial(c.NetNS)
	return &rest.Config{
		Host: "https://" + c.EndpointHost,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: b.CAPEM, CertData: cert, KeyData: key,
		},
		// The name resolves only in the cluster's own DNS views; here it is always
		// the server next door.
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dial(ctx, "tcp", "127.0.0.1:443")
		},
		QPS:       -1,
		UserAgent: "eksact",
	}
}

// Client is a client for the cluster's API, as the daemon itself.
func (p *Plane) Client() kubernetes.Interface { return p.client }

// Metadata is a client for what all objects have, as the daemon itself.
func (p *Plane) Metadata() metadata.Interface { return p.metadata }

// Objects is a client for objects of all kinds, as the daemon itself.
func (p *Plane) Objects() dynamic.Interface { return p.objects }

// WaitReady returns when the API server says it is ready. Each time what it
// still waits for changes, progress is told, in words such as
// "poststarthook/rbac/bootstrap-roles"; progress may be nil.
func (p *Plane) WaitReady(ctx context.Context, progress func(waitingFor string)) error {
	last := ""
	for {
		waiting, err := p.ready(ctx)
		if err == nil && waiting == "" {
			return nil
		}
		if waiting == "" {
			waiting = "kube-apiserver"
		}
		if waiting != last && progress != nil {
			progress(waiting)
		}
		last = waiting
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster %s: the API is not ready, waiting for %s: %w", p.cluster, waiting, context.Cause(ctx))
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// settling are the checks of /readyz that fail while an API server does not know
// yet what RBAC allows: it serves all the same, and forbids.
var settling = []string{"informer-sync", "poststarthook/generic-apiserver-start-informers"}

// WaitSettled returns when the API server has read what it decides by.
func (p *Plane) WaitSettled(ctx context.Context) error {
	for {
		waiting, err := p.ready(ctx)
		if err == nil || waiting != "" && !slices.ContainsFunc(strings.Split(waiting, ", "), func(check string) bool { return slices.Contains(settling, check) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster %s: the API server is not settled: %w", p.cluster, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ready asks once. waiting names the checks that fail, comma-separated.
func (p *Plane) ready(ctx context.Context) (waiting string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var status int
	body, err := p.client.Discovery().RESTClient().Get().AbsPath("/readyz").Param("verbose", "").
		Do(ctx).StatusCode(&status).Raw()
	if status == 200 && err == nil {
		return "", nil
	}
	return failedChecks(string(body)), fmt.Errorf("readyz: status %d: %w", status, err)
}

// failedChecks reads /readyz?verbose: "[+]NAME ok" and "[-]NAME failed: …" lines.
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ := strings.Cut(rest, " ")
			failed = append(failed, name)
		}
	}
	return strings.Join(failed, ", ")
}
