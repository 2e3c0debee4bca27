package stacks

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/eksact/eksact/internal/engine/token"
	"github.com/eksact/eksact/test/lab"
)

// serviceAccount makes the calls of eksctl create iamserviceaccount, in eksctl's order,
// and says how long they take together. Its waiter looks at the stack at once, and then
// every 30 seconds: it is to find it made at first.
func serviceAccount(t *testing.T, config aws.Config, kubeconfig string) {
	ctx, cluster := t.Context(), aws.String("cluster")
	const provider = "arn:aws:iam::111122223333:oidc-provider/"
	described, err := eks.NewFromConfig(config).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: cluster})
	must(t, err)
	url := aws.ToString(described.Cluster.Identity.Oidc.Issuer)
	issuer := strings.TrimPrefix(url, "https://")
	_, err = iam.NewFromConfig(config).CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &url, ClientIDList: []string{"sts.amazonaws.com"}})
	must(t, err)
	template := `{"AWSTemplateFormatVersion":"2010-09-09","Description":"IAM role for serviceaccount \"default/reader\" [created and managed by eksctl]",
"Resources":{"Role1":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRoleWithWebIdentity"],
"Principal":{"Federated":"` + provider + issuer + `"},"Condition":{"StringEquals":{"` + issuer + `:sub":"system:serviceaccount:default:reader","` + issuer + `:aud":"sts.amazonaws.com"}}}]},
"ManagedPolicyArns":["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}}},"Outputs":{"Role1":{"Value":{"Fn::GetAtt":"Role1.Arn"}}}}`
	name := aws.String("eksctl-cluster-addon-iamserviceaccount-default-reader")

	began := time.Now()
	_, err = sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(t, err)
	_, err = eks.NewFromConfig(config).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: cluster})
	must(t, err)
	_, err = eks.NewFromConfig(config).DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{})
	must(t, err)
	_, err = iam.NewFromConfig(config).GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(provider + issuer)})
	must(t, err)
	stacks := cloudformation.NewFromConfig(config)
	_, err = stacks.ListStacks(ctx, &cloudformation.ListStacksInput{})
	must(t, err)
	_, err = stacks.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: name, TemplateBody: &template, Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam}})
	must(t, err)
	byName, err := stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: name})
	must(t, err)
	byID, err := stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: byName.Stacks[0].StackId})
	must(t, err)
	s := byID.Stacks[0]
	if s.StackStatus != cfntypes.StackStatusCreateComplete || len(s.Outputs) != 1 {
		t.Fatalf("at eksctl's first look the stack is %s, with outputs %v: the next look is in 30 s", s.StackStatus, s.Outputs)
	}
	role := s.Outputs[0].OutputValue
	client := clusterClient(t, config, kubeconfig)
	accounts := client.CoreV1().ServiceAccounts("default")
	if _, err = accounts.Get(ctx, "reader", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("the service account: %v", err)
	}
	_, err = accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Name: "reader", Labels: map[string]string{"app.kubernetes.io/managed-by": "eksctl"}, Annotations: map[string]string{"eks.amazonaws.com/role-arn": *role},
	}}, metav1.CreateOptions{})
	must(t, err)
	took := time.Since(began)
	lab.Figure(t, "what eksctl create iamserviceaccount calls", took, 5*time.Second)

	// What came of it is a role for this account, and for no other.
	assume := func(account string) error {
		out, err := client.CoreV1().ServiceAccounts("default").CreateToken(ctx, account, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"sts.amazonaws.com"}}}, metav1.CreateOptions{})
		must(t, err)
		_, err = sts.NewFromConfig(config).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: aws.String("pod"), WebIdentityToken: &out.Status.Token})
		return err
	}
	must(t, assume("reader"))
	var refused interface{ ErrorCode() string }
	if err := assume("default"); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" {
		t.Errorf("another service account: %v", err)
	}
	_, err = stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: name})
	must(t, err)
	if err := assume("reader"); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" {
		t.Errorf("after the stack was deleted: %v", err)
	}
}

// clusterClient speaks to the cluster as the caller of AWS.
func clusterClient(t *testing.T, config aws.Config, kubeconfig string) kubernetes.Interface {
	t.Helper()
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	must(t, err)
	keys, err := config.Credentials.Retrieve(t.Context())
	must(t, err)
	signed, err := token.New(token.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}, "https://sts."+config.Region+".amazonaws.com", config.Region, "cluster", time.Now())
	must(t, err)
	c.ExecProvider, c.BearerToken = nil, signed.Value
	client, err := kubernetes.NewForConfig(c)
	must(t, err)
	return client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
