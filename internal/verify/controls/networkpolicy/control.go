// Package networkpolicy is the control network-policy, see README.md.
package networkpolicy

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "network-policy", Claim: "a network policy keeps out those whom it does not let in, and nobody else", Check: check}

const (
	// patience is how long a policy may take to be enforced: by AWS's agent seconds.
	patience = 10 * time.Second
	// starting is how long pods may take to start and to answer.
	starting = 2 * time.Minute
)

func check(ctx context.Context, s *verify.Session) (string, error) {
	y, err := newYard(ctx, s)
	if err != nil {
		return "", err
	}
	if err := y.open(ctx); err != nil {
		return "", err
	}
	if err := y.policy(ctx, "deny", nil); err != nil {
		return "", err
	}
	if _, err := until(ctx, patience, func() bool { return !y.reaches(ctx, first) }); err != nil {
		return "", refute(ctx, s, "under a policy that lets nobody in, a pod still reached another after %s", patience)
	}
	if err := y.alive(ctx, first); err != nil {
		return "", err
	}
	if err := y.keptOut(ctx, "under a policy that lets nobody in"); err != nil {
		return "", err
	}
	if err := y.policy(ctx, "allow", []networkingv1.NetworkPolicyIngressRule{
		{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{label: first}}}}},
	}); err != nil {
		return "", err
	}
	allowed, err := until(ctx, patience, func() bool { return y.reaches(ctx, first) })
	if err != nil {
		return "", refute(ctx, s, "let in by a policy, a pod did not reach the other within %s", patience)
	}
	if err := y.keptOut(ctx, "under a policy that lets in another"); err != nil {
		return "", err
	}
	return fmt.Sprintf("two pods reached a third; by a policy that lets nobody in, neither did; let in by another, one did after %s, and the other did not",
		allowed.Round(time.Millisecond)), nil
}

// keptOut is an error if the second client reaches the server.
func (y *yard) keptOut(ctx context.Context, when string) error {
	if y.reaches(ctx, second) {
		return refute(ctx, y.s, "%s a pod reached the one that the policy protects", when)
	}
	return y.alive(ctx, second)
}

// refute says what to do about policies that don't hold: mostly they are off. A run that
// is cut short refutes nothing.
func refute(ctx context.Context, s *verify.Session, format string, args ...any) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	const addon = "vpc-cni"
	fix := "kubectl logs -n kube-system daemonset/aws-node -c aws-eks-nodeagent"
	out, err := eks.NewFromConfig(s.AWS).DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &s.Cluster, AddonName: aws.String(addon)})
	if err != nil {
		s.Note("eks DescribeAddon "+addon, "%v", err)
		return verify.Refute(fix, format, args...)
	}
	values := aws.ToString(out.Addon.ConfigurationValues)
	s.Note("eks DescribeAddon "+addon, "configuration values %s", values)
	var set struct {
		Enabled string `json:"enableNetworkPolicy"`
	}
	// They may be YAML, of which JSON is a part.
	if yaml.Unmarshal([]byte(values), &set) != nil || set.Enabled != "true" {
		fix = fmt.Sprintf(`aws eks update-addon --cluster-name %s --addon-name %s --configuration-values '{"enableNetworkPolicy":"true"}'`, s.Cluster, addon)
	}
	return verify.Refute(fix, format, args...)
}

// until tries again until done, and says how long it took.
func until(ctx context.Context, limit time.Duration, done func() bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	for {
		if done() && ctx.Err() == nil {
			return time.Since(began), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
