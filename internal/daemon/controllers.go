package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/engine/token"
	"github.com/eksact/eksact/internal/kube/authn"
	"github.com/eksact/eksact/internal/kube/authn/csr"
	"github.com/eksact/eksact/internal/kube/authz"
	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/supervise"
)

// runControllers runs what a cluster needs of the daemon, until ctx ends: who a
// token is, network policies, the signing of certificates, load balancers.
func (d *Daemon) runControllers(ctx context.Context, k *cluster) error {
	if err := d.runAuthenticator(ctx, k); err != nil {
		return err
	}
	if err := d.runPodIdentity(ctx, k); err != nil {
		return err
	}
	d.runNetworkPolicies(ctx, k)
	signer := &csr.Controller{
		Requests:  k.client.CertificatesV1().CertificateSigningRequests(),
		Instances: instances{d, k.record},
		Authority: func() (csr.Authority, error) {
			cert, key := k.bundle.Signer()
			return csr.Authority{Certificate: cert, Key: key}, nil
		},
		Log: slog.With("cluster", k.record.Name),
	}
	d.running.Go(func() {
		if err := signer.Run(ctx); err != nil && ctx.Err() == nil {
			slog.Error("certificates are not signed", "cluster", k.record.Name, "error", err)
		}
	})
	d.runPodGroups(ctx, k)
	d.running.Go(func() {
		if err := cloud.Run(ctx, k.record.Name, k.client, balancers{d, k}); err != nil && ctx.Err() == nil {
			slog.Error("load balancers are not made", "cluster", k.record.Name, "error", err)
		}
	})
	return nil
}

// runAuthenticator serves the cluster's token webhook and, on the same socket, its
// authorizer.
func (d *Daemon) runAuthenticator(ctx context.Context, k *cluster) error {
	if err := os.MkdirAll(d.clusterDir(k.record)+"/logs", 0o750); err != nil {
		return err
	}
	file := &lumberjack.Logger{Filename: k.config.Log("authenticator"), MaxSize: 32, MaxBackups: 3} // MB
	log := authn.NewLog(file, time.Now)
	hosts, err := token.AllowHosts(d.config.Place().Partition, d.config.URL(), "https://"+d.config.Listen, "http://"+d.network.Front().String(), "https://"+d.network.Front().String())
	if err != nil {
		return err
	}
	awsAuth := authn.NewAWSAuth(k.client.CoreV1().ConfigMaps("kube-system"), log)
	name := k.record.Name
	sources := authn.Modes{
		Mode: func() mapping.Mode { return d.eks.Mode(name) },
		Entries: authn.AccessEntries(func(id string) (mapping.AccessEntry, bool) {
			h, ok := d.eks.Holder(name, id)
			if !ok {
				return mapping.AccessEntry{}, false
			}
			return h.Entry, true
		}),
		ConfigMap: awsAuth,
	}
	if k.record.CreatorAdmin {
		creator, err := mapping.NewCreator(k.record.Creator.ARN)
		if err != nil {
			return err
		}
		sources.Creator = authn.Fixed(creator)
	}
	handler, err := (&authn.Handler{
		Cluster: name, Hosts: hosts, Credentials: credentials{d.sts}, Sources: []authn.Source{sources},
		Instances: d.instanceName, Settled: k.plane.WaitSettled, Log: log,
		Authorizer: &authz.Handler{Find: func(id string) (authz.Principal, bool) {
			h, ok := d.eks.Holder(name, id)
			if !ok {
				return authz.Principal{}, false
			}
			return authz.Principal{ARN: h.ARN, Policies: h.Policies, Grants: h.Grants}, true
		}},
	}).Ready()
	if err != nil {
		return err
	}
	l, err := d.keeper.Listen(supervise.Socket{Name: webhookSocket(k.record.Name), NetNS: k.config.NetNS, Network: "tcp", Address: webhookAddress})
	if err != nil {
		return err
	}
	d.running.Go(func() { awsAuth.Run(ctx) })
	d.running.Go(func() {
		defer file.Close()
		if err := handler.Serve(ctx, l, k.bundle.WebhookTLS(true)); err != nil && !errors.Is(err, http.ErrServerClosed) {
			slog.Error("tokens are not reviewed", "cluster", k.record.Name, "error", err)
		}
	})
	return nil
}

// instanceName answers for {{EC2PrivateDNSName}}.
func (d *Daemon) instanceName(id string) (string, error) {
	i, ok := d.ec2.Instance(id)
	if !ok {
		return "", fmt.Errorf("no instance %s", id)
	}
	return i.PrivateDNS, nil
}

// credentials shows the account's keys to the Kubernetes half.
type credentials struct{ sts *sts.STS }

// Resolve implements authn.Credentials. What STS would refuse is refused in its
// words.
func (c credentials) Resolve(ctx context.Context, id, sessionToken string, now time.Time) (string, authn.Principal, error) {
	secret, who, err := c.sts.Resolve(ctx, id, sessionToken, now)
	switch {
	case errors.Is(err, sts.ErrExpiredToken):
		return "", authn.Principal{}, &authn.Refusal{Status: http.StatusForbidden, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
	case errors.Is(err, sts.ErrUnknownKey), errors.Is(err, sts.ErrBadToken):
		return "", authn.Principal{}, &authn.Refusal{Status: http.StatusForbidden, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}
	case err != nil:
		return "", authn.Principal{}, err
	}
	return secret, principal(who), nil
}

func principal(who api.Caller) authn.Principal {
	return authn.Principal{ARN: who.ARN, AccountID: who.AccountID, UserID: who.UserID}
}
