package noderole

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/verify"
)

const (
	nodeUser  = "system:node:{{EC2PrivateDNSName}}"
	nodeGroup = "system:nodes"
)

// How to map a role, by each way.
const (
	fixMap   = "kubectl edit configmap -n kube-system aws-auth   # map the node role to " + nodeUser + ", groups system:bootstrappers and " + nodeGroup
	fixEntry = "aws eks create-access-entry --cluster-name %s --type EC2_LINUX --principal-arn "
)

// mappings are what lets roles be nodes in a cluster.
type mappings struct {
	s     *verify.Session
	mode  mapping.Mode
	roles []string // of aws-auth, where it counts
}

func newMappings(ctx context.Context, s *verify.Session) (m *mappings, err error) {
	m = &mappings{s: s}
	if m.mode, err = s.Mode(ctx); err == nil && m.mode.ConfigMap() {
		m.roles, err = inAWSAuth(ctx, s)
	}
	return m, err
}

// check is an error unless a role is mapped to be its nodes. Who has an access entry is
// not looked for in aws-auth.
func (m *mappings) check(ctx context.Context, node, role string) error {
	create := strings.Replace(fixEntry, "%s", m.s.Cluster, 1) + role
	if m.mode.AccessEntries() {
		e, err := m.entry(ctx, role)
		switch {
		case err != nil:
			return err
		case e != nil && aws.ToString(e.Username) == nodeUser && slices.Contains(e.KubernetesGroups, nodeGroup):
			return nil
		case e != nil:
			return verify.Refute("aws eks delete-access-entry --cluster-name "+m.s.Cluster+" --principal-arn "+role+" && "+create,
				"node %s runs as %s, whose access entry of type %s makes it user %s", node, role, aws.ToString(e.Type), aws.ToString(e.Username))
		}
	}
	// aws-auth has no paths: a role with one matches none.
	if slices.ContainsFunc(m.roles, func(arn string) bool { return strings.EqualFold(arn, role) }) {
		return nil
	}
	switch m.mode {
	case mapping.ModeAPI:
		return verify.Refute(create, "node %s runs as %s, which has no access entry", node, role)
	case mapping.ModeAPIAndConfigMap:
		return verify.Refute(create, "node %s runs as %s, which has no access entry, and which aws-auth does not map", node, role)
	}
	return verify.Refute(fixMap, "node %s runs as %s, which aws-auth does not map", node, role)
}

// entry is the access entry of a role, nil without one.
func (m *mappings) entry(ctx context.Context, role string) (*types.AccessEntry, error) {
	out, err := m.s.EKS.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &m.s.Cluster, PrincipalArn: &role})
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		m.s.Note("eks DescribeAccessEntry "+role, "%v", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m.s.Note("eks DescribeAccessEntry "+role, "type %s, user %s", aws.ToString(out.AccessEntry.Type), aws.ToString(out.AccessEntry.Username))
	return out.AccessEntry, nil
}

// inAWSAuth are the roles that aws-auth lets be nodes.
func inAWSAuth(ctx context.Context, s *verify.Session) (roles []string, err error) {
	found, err := s.Admin.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "aws-auth", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		s.Note("aws-auth", "%v", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []struct {
		ARN      string   `json:"rolearn"`
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	}
	if err := yaml.Unmarshal([]byte(found.Data["mapRoles"]), &entries); err != nil {
		return nil, verify.Refute(fixMap, "mapRoles of aws-auth can't be read: %v", err)
	}
	s.Note("mapRoles of aws-auth", "%s", found.Data["mapRoles"])
	for _, e := range entries {
		if !slices.Contains(e.Groups, nodeGroup) {
			continue
		}
		if e.Username != nodeUser {
			return nil, verify.Refute(fixMap, "%s is mapped to the fixed node %s", e.ARN, e.Username)
		}
		roles = append(roles, e.ARN)
	}
	return roles, nil
}
