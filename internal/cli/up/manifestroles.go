package up

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/clusterconfig"
	"github.com/eksact/eksact/internal/engine/token"
)

func serviceTrust(service string, actions ...string) string {
	if len(actions) == 0 {
		actions = []string{"sts:AssumeRole"}
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":%q},"Action":["%s"]}]}`, service, strings.Join(actions, `","`))
}

// roleName is a name of a role as CloudFormation would make it of a stack's and a
// resource's, cut to what IAM takes.
func roleName(stack, resource string) string {
	name := stack + "-" + resource
	if len(name) <= 64 {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:55] + "-" + hex.EncodeToString(sum[:4])
}

// roleWith makes a role with policies, if it is not there, and returns its ARN.
func (a account) roleWith(ctx context.Context, name, trust string, policies []string, inline string, tags map[string]string) (string, error) {
	in := &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}
	for k, v := range tags {
		in.Tags = append(in.Tags, iamtypes.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	if err := made(a.iam.CreateRole(ctx, in)); err != nil {
		return "", err
	}
	for _, arn := range policies {
		if _, err := a.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: aws.String(arn)}); err != nil {
			return "", err
		}
	}
	if inline != "" {
		if _, err := a.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String(inlineName), PolicyDocument: &inline}); err != nil {
			return "", err
		}
	}
	out, err := a.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Role.Arn), nil
}

// ownRole is a role that a file makes, with its policies.
type ownRole struct {
	path, name string
	policies   []string
	inline     bool
}

// roles are those that a file makes beside the cluster's.
func (m *manifest) roles() (all []ownRole) {
	for _, n := range m.Nodegroups {
		if n.RoleARN == "" {
			all = append(all, ownRole{n.Path, nodeRole(m.Config, n), nodePolicies(n), false})
		}
	}
	for _, x := range m.Accounts {
		if x.RoleARN == "" {
			all = append(all, ownRole{x.Path, accountRole(m.Config, x), x.Policies, x.Inline != ""})
		}
	}
	for _, x := range m.Associations {
		if x.RoleARN == "" {
			all = append(all, ownRole{x.Path, associationRole(m.Config, x), x.Policies, x.Inline != ""})
		}
	}
	return all
}

func accountRole(m *clusterconfig.Config, x clusterconfig.ServiceAccount) string {
	return cmp.Or(x.RoleName, roleName("eksctl-"+m.Name+"-addon-iamserviceaccount-"+cmp.Or(x.Namespace, "default")+"-"+x.Name, "Role1"))
}

func associationRole(m *clusterconfig.Config, x clusterconfig.Association) string {
	return cmp.Or(x.RoleName, roleName("eksctl-"+m.Name+"-podidentityrole-"+x.Namespace+"-"+x.Account, "Role1"))
}

// rolesOf makes the identity provider, and the roles of pods: for IRSA and for Pod
// Identity. The ARNs of the former's are noted in the accounts.
func (a account) rolesOf(ctx context.Context, m *manifest) error {
	if m.OIDC {
		if err := a.irsaOf(ctx, m); err != nil {
			return err
		}
	}
	for i := range m.Associations {
		x := &m.Associations[i]
		if m.isThere("association/" + x.Namespace + "/" + x.Account) {
			continue
		}
		if x.RoleARN == "" {
			name := associationRole(m.Config, *x)
			var err error
			if x.RoleARN, err = a.roleWith(ctx, name, serviceTrust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"), x.Policies, x.Inline, x.Tags); err != nil {
				return m.located(x.Path, err)
			}
		}
		err := made(a.eks.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
			ClusterName: &m.Name, Namespace: &x.Namespace, ServiceAccount: &x.Account, RoleArn: &x.RoleARN, Tags: x.Tags,
		}))
		if err != nil {
			return m.located(x.Path, err)
		}
	}
	return nil
}

func (a account) irsaOf(ctx context.Context, m *manifest) error {
	c, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &m.Name})
	if err != nil {
		return err
	}
	issuer := aws.ToString(c.Cluster.Identity.Oidc.Issuer)
	if err := made(a.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &issuer, ClientIDList: []string{"sts.amazonaws.com"}})); err != nil {
		return m.located("iam.withOIDC", err)
	}
	host := strings.TrimPrefix(issuer, "https://")
	number := strings.Split(aws.ToString(c.Cluster.Arn), ":")[4]
	for i := range m.Accounts {
		x := &m.Accounts[i]
		if x.RoleARN != "" {
			continue
		}
		x.Namespace = cmp.Or(x.Namespace, "default")
		trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::%s:oidc-provider/%s"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"%s:sub":"system:serviceaccount:%s:%s","%s:aud":"sts.amazonaws.com"}}}]}`,
			number, host, host, x.Namespace, x.Name, host)
		if x.RoleARN, err = a.roleWith(ctx, accountRole(m.Config, *x), trust, x.Policies, x.Inline, x.Tags); err != nil {
			return m.located(x.Path, err)
		}
	}
	return nil
}

const roleAnnotation = "eks.amazonaws.com/role-arn"

// serviceAccounts makes the accounts of the file in the cluster, as the admin.
func serviceAccounts(ctx context.Context, client *control.Client, c daemon.Config, m *manifest) error {
	var wanted []*corev1.ServiceAccount
	for _, x := range m.Accounts {
		if x.RoleOnly {
			continue
		}
		annotations := map[string]string{roleAnnotation: x.RoleARN}
		maps.Copy(annotations, x.Annotations)
		labels := map[string]string{"app.kubernetes.io/managed-by": "eksctl"}
		maps.Copy(labels, x.Labels)
		wanted = append(wanted, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: x.Name, Namespace: cmp.Or(x.Namespace, "default"), Labels: labels, Annotations: annotations}})
	}
	for _, x := range m.Associations {
		if x.CreateAccount {
			wanted = append(wanted, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: x.Account, Namespace: x.Namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "eksctl"}}})
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	k, err := kubernetesOf(ctx, client, c, m.Name)
	if err != nil {
		return err
	}
	have := map[string]string{}
	for _, x := range m.Accounts {
		account, err := k.CoreV1().ServiceAccounts(cmp.Or(x.Namespace, "default")).Get(ctx, x.Name, metav1.GetOptions{})
		if err == nil && !x.RoleOnly {
			_, have[accountKey(x)+"/role"] = lastOf(account.Annotations[roleAnnotation])
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if err := m.refuse(have); err != nil {
		return err
	}
	for _, account := range wanted {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: account.Namespace}}
		if _, err := k.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		if _, err := k.CoreV1().ServiceAccounts(account.Namespace).Create(ctx, account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("service account %s/%s: %w", account.Namespace, account.Name, err)
		}
	}
	return nil
}

// kubernetesOf is a client of a cluster with the admin's token.
func kubernetesOf(ctx context.Context, client *control.Client, c daemon.Config, name string) (kubernetes.Interface, error) {
	var all []daemon.Connection
	if err := client.Call(ctx, "/connections", nil, &all); err != nil {
		return nil, err
	}
	var keys control.Credentials
	if err := client.Call(ctx, "/credentials", nil, &keys); err != nil {
		return nil, err
	}
	signed, err := token.New(token.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}, "https://sts."+c.Region+".amazonaws.com", c.Region, name, time.Now())
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if x.Name != name {
			continue
		}
		ca, err := base64.StdEncoding.DecodeString(x.CA)
		if err != nil {
			return nil, err
		}
		return kubernetes.NewForConfig(&rest.Config{
			Host: "https://" + x.Address, BearerToken: signed.Value, TLSClientConfig: rest.TLSClientConfig{ServerName: x.ServerName, CAData: ca}, Timeout: 30 * time.Second,
		})
	}
	return nil, fmt.Errorf("cluster %q does not serve", name)
}
