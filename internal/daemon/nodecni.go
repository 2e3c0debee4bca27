package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	kubenode "github.com/eksact/eksact/internal/kube/node"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/node/ipamd"
	"github.com/eksact/eksact/internal/supervise"
)

// awsNode is the service account that the VPC CNI has on every node.
const awsNode = "aws-node"

// plugNode gives a node that has started its CNI configuration, and its pods networks
// thereby, as soon as the VPC CNI's role may see the node's interface. Until then the
// node is NotReady. One that had it keeps it: on EKS too who runs goes on.
func (d *Daemon) plugNode(ctx context.Context, k *cluster, c kubenode.Config, record ec2.Instance) {
	if c.Plugged() {
		note(c.Plug(), ctx, "the CNI configuration of "+c.Name)
		return
	}
	m := d.addressManager(k, c, record)
	said := ""
	for pause := 50 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		look, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := m.Look(look)
		cancel()
		if err == nil {
			err = c.Plug()
		}
		if err == nil {
			return
		}
		if text := err.Error(); text != said && pause > time.Second && ctx.Err() == nil {
			said = text
			slog.Warn("pods of a node get no addresses", "node", c.Name, "error", err)
			warnNode(ctx, k, c.Name, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// keeps says whether the keeper has a process of the name.
func (d *Daemon) keeps(name string) (bool, error) {
	all, err := d.keeper.List()
	return slices.ContainsFunc(all, func(s supervise.State) bool { return s.Name == name }), err
}

// addressManager acts on a node, by its network.
func (d *Daemon) addressManager(k *cluster, c kubenode.Config, record ec2.Instance) *ipamd.Manager {
	roots := x509.NewCertPool()
	roots.AddCert(d.authority.cert)
	return &ipamd.Manager{
		Region: d.config.Region, Interface: record.Interfaces[0].ID,
		HTTP: &http.Client{Transport: &http.Transport{
			DialContext: dialFrom(c.NetNS, d.network.ResolverOf(c.Address)), TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true,
		}},
		Account: func(ctx context.Context) (role, token string, err error) {
			a, err := k.identities.Account(ctx, metav1.NamespaceSystem, awsNode)
			if err != nil || a.RoleARN == "" {
				return "", "", err
			}
			seconds := int64(600)
			out, err := k.client.CoreV1().ServiceAccounts(metav1.NamespaceSystem).CreateToken(ctx, awsNode, &authenticationv1.TokenRequest{
				Spec: authenticationv1.TokenRequestSpec{Audiences: []string{a.Audience}, ExpirationSeconds: &seconds},
			}, metav1.CreateOptions{})
			if err != nil {
				return "", "", err
			}
			return a.RoleARN, out.Status.Token, nil
		},
		Associated: func(ctx context.Context) (string, func(), error) {
			if _, ok := d.eks.AssociationOf(k.record.Name, metav1.NamespaceSystem, awsNode); !ok {
				return "", nil, nil
			}
			return podToken(ctx, k, awsNode+"-"+strings.TrimPrefix(record.ID, "i-"))
		},
	}
}

// podToken is a token of aws-node's for the Pod Identity agent. EKS Auth takes only tokens of
// pods: there is one until done, which stays at a gate of the scheduler.
func podToken(ctx context.Context, k *cluster, name string) (token string, done func(), err error) {
	pods := k.client.CoreV1().Pods(metav1.NamespaceSystem)
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			ServiceAccountName: awsNode, AutomountServiceAccountToken: new(bool), SchedulingGates: []corev1.PodSchedulingGate{{Name: "eksact.dev/vpc-cni"}},
			Containers: []corev1.Container{{Name: awsNode, Image: "none.invalid/none"}},
		},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // of a daemon that was killed
		pod, err = pods.Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return "", nil, err
	}
	done = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := pods.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil && !apierrors.IsNotFound(err) {
			slog.Warn("a pod of aws-node is left", "pod", name, "error", err)
		}
	}
	seconds := int64(600)
	out, err := k.client.CoreV1().ServiceAccounts(metav1.NamespaceSystem).CreateToken(ctx, awsNode, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{eks.PodPrincipal}, ExpirationSeconds: &seconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}, metav1.CreateOptions{})
	if err != nil {
		done()
		return "", nil, err
	}
	return out.Status.Token, done, nil
}

// dialFrom connects from a network namespace, to names as the resolver there has them.
func dialFrom(ns string, resolver netip.Addr) func(ctx context.Context, network, address string) (net.Conn, error) {
	dial := netns.Dial(ns)
	names := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, netip.AddrPortFrom(resolver, 53).String())
	}}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if _, err := netip.ParseAddr(host); err == nil {
			return dial(ctx, network, address)
		}
		all, err := names.LookupNetIP(ctx, "ip4", host)
		if err == nil && len(all) == 0 {
			err = errors.New(host + " has no address")
		}
		if err != nil {
			return nil, err
		}
		return dial(ctx, network, net.JoinHostPort(all[0].String(), port))
	}
}

// warnNode tells in an event why a node's pods get no addresses.
func warnNode(ctx context.Context, k *cluster, node string, fault error) {
	now := metav1.Now()
	_, err := k.client.CoreV1().Events(metav1.NamespaceDefault).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: node + ".", Namespace: metav1.NamespaceDefault},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node},
		Type:           corev1.EventTypeWarning, Reason: "NoAddressesForPods",
		Message:        "The VPC CNI may not see the node's network interface: " + fault.Error() + ". Its role, the node's or that of the service account kube-system/aws-node (Pod Identity, IRSA), needs AmazonEKS_CNI_Policy.",
		FirstTimestamp: now, LastTimestamp: now, Count: 1, Source: corev1.EventSource{Component: awsNode, Host: node},
	}, metav1.CreateOptions{})
	if err != nil {
		slog.Debug("an event can't be written", "node", node, "error", err)
	}
}
