package daemon

import (
	"context"
	"crypto/sha1" // what AWS's thumbprints are
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/aws/issuer"
	"github.com/eksact/eksact/internal/engine/oidc"
	"github.com/eksact/eksact/internal/kube/controlplane"
)

// issuers are the clusters as OpenID Connect issuers: their public keys, by the
// cluster's id.
type issuers struct {
	mu   sync.RWMutex
	keys map[string]jose.JSONWebKeySet
}

// issuerHost is the name that all clusters have their issuers at.
func (d *Daemon) issuerHost() string { return issuer.Host(d.config.Region, "amazonaws.com") }

// openIssuers reads the keys of the clusters that there are: tokens that they made
// are good before they have started again.
func (d *Daemon) openIssuers() {
	for _, c := range d.eks.Clusters() {
		if err := d.publishKeys(c); err != nil {
			slog.Error("a cluster's keys can't be read", "cluster", c.Name, "error", err)
		}
	}
}

// publishKeys makes the keys on disk those that a cluster's tokens are good by.
func (d *Daemon) publishKeys(c eks.Cluster) error {
	keys, err := controlplane.Config{Dir: d.clusterDir(c)}.Keys(time.Now())
	if err != nil {
		return err
	}
	set, err := oidc.KeySet(keys)
	if err != nil {
		return err
	}
	d.issuers.mu.Lock()
	defer d.issuers.mu.Unlock()
	if d.issuers.keys == nil {
		d.issuers.keys = map[string]jose.JSONWebKeySet{}
	}
	d.issuers.keys[c.ID] = set
	return nil
}

func (d *Daemon) forgetKeys(c eks.Cluster) {
	d.issuers.mu.Lock()
	defer d.issuers.mu.Unlock()
	delete(d.issuers.keys, c.ID)
}

func (d *Daemon) issuerKeys(id string) (jose.JSONWebKeySet, bool) {
	d.issuers.mu.RLock()
	defer d.issuers.mu.RUnlock()
	set, ok := d.issuers.keys[id]
	return set, ok
}

// issuerAt finds a cluster as an identity provider. All that is at the issuers' host
// is here: one that is gone has no keys, and nobody else is asked for them.
func (d *Daemon) issuerAt(url string) (idp.Local, bool) {
	id, ok := strings.CutPrefix(url, d.issuerHost()+"/id/")
	if !ok {
		return idp.Local{}, false
	}
	sum := sha1.Sum(d.authority.der)
	return idp.Local{
		Keys:       func() jose.JSONWebKeySet { set, _ := d.issuerKeys(id); return set },
		Thumbprint: hex.EncodeToString(sum[:]),
	}, true
}

// door is what the front door's sockets lead to: issuers, what SNS's messages link to, the
// registry of images, and the AWS API.
func (d *Daemon) door() http.Handler {
	return &issuer.Handler{Host: d.issuerHost(), Keys: d.issuerKeys, Next: d.sns.Pages(d.ecr.Registry(d.front))}
}

// keysLookedAfter is how often a cluster's keys and certificates are looked at.
const keysLookedAfter = time.Hour

// tendKeys brings a cluster's certificates and keys up to date while it runs. When
// another key is to sign service account tokens its public half is published before,
// and the API server is started anew: a pause of two seconds to its callers.
func (d *Daemon) tendKeys(ctx context.Context, k *cluster) {
	signing := k.bundle.ServiceAccount
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(keysLookedAfter):
		}
		bundle, err := k.config.Certificates(time.Now())
		if err == nil {
			err = d.publishKeys(k.record)
		}
		if err == nil && bundle.ServiceAccount != signing {
			for _, spec := range k.config.Specs(bundle) {
				if err = d.keeper.Ensure(spec); err != nil {
					break
				}
			}
		}
		if err != nil {
			slog.Error("a cluster's keys can't be brought up to date", "cluster", k.record.Name, "error", err)
			continue
		}
		signing = bundle.ServiceAccount
	}
}
