// Package noderole is the control node-role, see README.md.
package noderole

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "node-role", Claim: "every node is in by the IAM role of its own instance", Check: check}

// fix is for what no mapping mends.
const fix = "aws ec2 describe-instances --query 'Reservations[].Instances[].[InstanceId,PrivateDnsName,IamInstanceProfile.Arn]'"

// lease is how old a lease may be: kubelets renew it every ten seconds.
const lease = time.Minute

func check(ctx context.Context, s *verify.Session) (string, error) {
	nodes, err := s.Admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	if len(nodes.Items) == 0 {
		return "", verify.Skip("the cluster has no nodes")
	}
	m, err := newMappings(ctx, s)
	if err != nil {
		return "", err
	}
	var proof []string
	for _, n := range nodes.Items {
		role, err := instanceRole(ctx, s, &n)
		if err != nil {
			return "", err
		}
		if err := m.check(ctx, n.Name, role); err != nil {
			return "", err
		}
		if err := alive(ctx, s, &n); err != nil {
			return "", err
		}
		proof = append(proof, fmt.Sprintf("%s is Ready as %s", n.Name, path.Base(role)))
	}
	return strings.Join(proof, "; "), nil
}

// instanceRole is the role of the instance behind a node.
func instanceRole(ctx context.Context, s *verify.Session, n *corev1.Node) (string, error) {
	id := path.Base(n.Spec.ProviderID)
	out, err := ec2.NewFromConfig(s.AWS).DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		return "", err
	}
	if len(out.Reservations) != 1 || len(out.Reservations[0].Instances) != 1 {
		return "", verify.Refute(fix, "node %s has the provider id %s, which is no instance of this account", n.Name, n.Spec.ProviderID)
	}
	instance := out.Reservations[0].Instances[0]
	s.Note("ec2 DescribeInstances "+id, "private DNS name %s, %v", aws.ToString(instance.PrivateDnsName), instance.IamInstanceProfile != nil)
	if aws.ToString(instance.PrivateDnsName) != n.Name {
		return "", verify.Refute(fix, "node %s says it is instance %s, whose name is %s", n.Name, id, aws.ToString(instance.PrivateDnsName))
	}
	if instance.IamInstanceProfile == nil {
		return "", verify.Refute(fix, "instance %s of node %s has no instance profile", id, n.Name)
	}
	name := path.Base(aws.ToString(instance.IamInstanceProfile.Arn))
	profile, err := s.IAM.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	if err != nil {
		return "", err
	}
	if len(profile.InstanceProfile.Roles) != 1 {
		return "", verify.Refute(fix, "instance profile %s holds no role", name)
	}
	arn := aws.ToString(profile.InstanceProfile.Roles[0].Arn)
	s.Note("iam GetInstanceProfile "+name, "%s", arn)
	return arn, nil
}

// posted reports whether the node has posted its status of late.
func posted(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && time.Since(c.LastHeartbeatTime.Time) < lease
	})
}

// alive is an error unless the node is Ready and has shown itself of late.
func alive(ctx context.Context, s *verify.Session, n *corev1.Node) error {
	ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	if !ready {
		return verify.Refute("kubectl describe node "+n.Name, "node %s is not Ready", n.Name)
	}
	l, err := s.Admin.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && posted(n) {
		return nil // it has just joined: a kubelet makes its lease ten seconds after its Node
	}
	if err != nil {
		return err
	}
	if l.Spec.RenewTime == nil || time.Since(l.Spec.RenewTime.Time) > lease {
		return verify.Refute("kubectl describe node "+n.Name, "node %s has not renewed its lease since %v", n.Name, l.Spec.RenewTime)
	}
	s.Note("lease of "+n.Name, "renewed %s", l.Spec.RenewTime.UTC().Format(time.RFC3339))
	return nil
}
