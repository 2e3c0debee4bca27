package refusals

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	awsclient "github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/test/lab"
)

const (
	devRole     = "arn:aws:iam::" + account + ":role/team/dev"
	viewPolicy  = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	adminPolicy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	trustAll    = `'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}'`
	makeDev     = "aws iam create-role --path /team/ --role-name dev --query Role.RoleId --output text --assume-role-policy-document " + trustAll
)

// accessEntries moves the cluster from aws-auth to access entries. There is no way
// back, so it comes last.
func (p *place) accessEntries(t *testing.T) {
	api := p.connect(t, true)
	client := eks.New(eks.Options{Region: region, BaseEndpoint: aws.String(p.door), HTTPClient: awsclient.New(nil), Credentials: credentials.StaticCredentialsProvider{Value: p.admin}})
	host := p.host.AWS(t, "2")
	host.Must(t, "kubectl create namespace dev && kubectl create namespace prod && kubectl create configmap -n kube-system aws-auth --from-literal=mapRoles='"+
		"[{rolearn: arn:aws:iam::"+account+":role/dev, username: dev-by-aws-auth}, {rolearn: arn:aws:iam::"+account+":role/guest, username: guest-by-aws-auth}]'")
	t.Run("the modes have one way", func(t *testing.T) { p.modes(t, api, client) })
	t.Run("changes take effect at once", func(t *testing.T) { p.entriesAtOnce(t, api, client) })
	t.Run("with aws and kubectl", func(t *testing.T) { p.entriesByHand(t, api) })
}

// modes takes the cluster to API_AND_CONFIG_MAP.
func (p *place) modes(t *testing.T, a *apiServer, client *eks.Client) {
	ctx, name := t.Context(), aws.String("cluster")
	to := func(mode types.AuthenticationMode) error {
		_, err := client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: mode}})
		return err
	}
	refused := func(err error, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
	_, err := client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: aws.String("arn:aws:iam::" + account + ":role/guest")})
	refused(err, "InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	refused(to("API"), "InvalidParameterException", "Unsupported authentication mode update from CONFIG_MAP to API")
	if got := a.who(t, anew(t, p.admin)); got != "kubernetes-admin" {
		t.Errorf("the creator is taken for %q", got)
	}
	if err := to("API_AND_CONFIG_MAP"); err != nil {
		t.Fatal(err)
	}
	fast := func(o *eks.ClusterActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 20*time.Millisecond
	}
	if err := eks.NewClusterActiveWaiter(client, fast).Wait(ctx, &eks.DescribeClusterInput{Name: name}, lab.Busy*10*time.Second); err != nil {
		t.Fatal(err)
	}
	// The creator's access is an entry now, and no less.
	if got := a.who(t, anew(t, p.admin)); got != "arn:aws:iam::"+account+":user/admin" {
		t.Errorf("the creator is taken for %q", got)
	}
	if status, body := a.call(t, http.MethodGet, "/metrics", anew(t, p.admin), nil); status != http.StatusOK {
		t.Errorf("HTTP %d: %.200s", status, body)
	}
	refused(to("CONFIG_MAP"), "InvalidParameterException", "Unsupported authentication mode update from API_AND_CONFIG_MAP to CONFIG_MAP")
}

// entriesByHand is what people type. The AWS CLI knows access entries since 2.15 and
// 1.32.
func (p *place) entriesByHand(t *testing.T, api *apiServer) {
	host := p.host.AWS(t, "1")
	// One kubeconfig more: role dev, by aws eks get-token.
	host.Must(t, `kubectl config view --raw > ~/dev && export KUBECONFIG=~/dev &&
kubectl config set-credentials dev --exec-api-version=client.authentication.k8s.io/v1beta1 --exec-command=aws \
  --exec-arg=eks --exec-arg=get-token --exec-arg=--cluster-name --exec-arg=cluster --exec-arg=--output --exec-arg=json --exec-arg=--role-arn --exec-arg=`+devRole+` &&
kubectl config set-context --current --user=dev && `+makeDev)
	dev := host.After("export KUBECONFIG=~/dev")
	const whoami = "kubectl auth whoami -o jsonpath='{.status.userInfo.username}'"
	const list = "kubectl get pods -n "
	of := " --cluster-name cluster --principal-arn " + devRole
	mode := func(to string) string {
		return "aws eks update-cluster-config --name cluster --access-config authenticationMode=" + to
	}

	t.Run("an entry goes before aws-auth", func(t *testing.T) {
		dev.Must(t, whoami, "dev-by-aws-auth")
		host.Must(t, "aws eks create-access-entry"+of+" --kubernetes-groups devs --tags team=x", ":access-entry/cluster/role/"+account+"/dev/", "assumed-role/dev/{{SessionName}}")
		dev.Must(t, whoami, "arn:aws:sts::"+account+":assumed-role/dev/")
		host.Refused(t, "aws eks create-access-entry"+of, "(ResourceInUseException)", "The specified access entry resource is already in use on this cluster.")
		host.Refused(t, "aws eks update-access-entry"+of+" --kubernetes-groups system:masters", "(InvalidParameterException)", "The kubernetes group name system:masters is invalid, it cannot start with system:")
	})
	t.Run("a policy for one namespace", func(t *testing.T) {
		host.Must(t, "aws eks associate-access-policy"+of+" --policy-arn "+viewPolicy+" --access-scope type=namespace,namespaces=dev")
		dev.Must(t, list+"dev && kubectl auth can-i list pods -n dev && kubectl auth can-i --list -n dev",
			"yes", "the list may be incomplete: webhook authorizer does not support user rule resolution", "selfsubjectreviews")
		dev.Refused(t, list+"prod", `Error from server (Forbidden): pods is forbidden: User "arn:aws:sts::`+account+`:assumed-role/dev/`, `" cannot list resource "pods" in API group "" in the namespace "prod"`)
		dev.Refused(t, "kubectl create configmap x -n dev", `cannot create resource "configmaps"`)
		host.Refused(t, list+"dev --as=arn:aws:sts::"+account+":assumed-role/dev/x", `cannot list resource "pods"`)
		host.Must(t, "aws eks disassociate-access-policy"+of+" --policy-arn "+viewPolicy)
		dev.Refused(t, list+"dev", `cannot list resource "pods" in API group "" in the namespace "dev"`)
	})
	t.Run("mode API", func(t *testing.T) {
		if got := api.who(t, anew(t, p.fresh)); got != "guest-by-aws-auth" {
			t.Errorf("the guest is taken for %q", got)
		}
		host.Must(t, mode("API"), "AccessConfigUpdate", "AuthenticationMode")
		host.Soon(t, 20*time.Second, "aws eks describe-cluster --name cluster --query 'join(`/`,cluster.[status,accessConfig.authenticationMode,`x`])' --output text", "ACTIVE/API/x")
		if got := api.who(t, anew(t, p.fresh)); got != "" {
			t.Errorf("mapped in aws-auth alone, the guest is taken for %q", got)
		}
		host.Refused(t, mode("API_AND_CONFIG_MAP"), "(InvalidParameterException)", "Unsupported authentication mode update from API to API_AND_CONFIG_MAP")
	})
	t.Run("a role made again has no access", func(t *testing.T) {
		dev.Must(t, whoami, "arn:aws:sts::"+account+":assumed-role/dev/")
		host.Must(t, "aws iam delete-role --role-name dev && "+makeDev)
		dev.Refused(t, whoami, "You must be logged in to the server")
		host.Must(t, "aws eks delete-access-entry"+of+" && aws eks create-access-entry"+of)
		dev.Must(t, whoami, "arn:aws:sts::"+account+":assumed-role/dev/")
		p.logged(t, "ARN is not mapped: arn:aws:iam::"+account+":role/dev")
	})
	t.Run("the creator's access can be taken away", func(t *testing.T) {
		admin := " --cluster-name cluster --principal-arn arn:aws:iam::" + account + ":user/admin"
		host.Must(t, "aws eks list-access-entries --cluster-name cluster --associated-policy-arn "+adminPolicy, "arn:aws:iam::"+account+":user/admin")
		host.Must(t, "aws eks disassociate-access-policy"+admin+" --policy-arn "+adminPolicy)
		host.Refused(t, "kubectl get nodes", `nodes is forbidden: User "arn:aws:iam::`+account+`:user/admin" cannot list resource "nodes"`)
		host.Must(t, "aws eks associate-access-policy"+admin+" --policy-arn "+adminPolicy+" --access-scope type=cluster && kubectl get namespaces", "kube-system")
	})
}

// anew makes a token that the API server has not seen: who a token is, it remembers for
// ten seconds. STS ignores the lifetime, so it tells two of one second apart.
func anew(t *testing.T, keys aws.Credentials) string {
	t.Helper()
	return wrap(presignFor(t, keys, stsURL, 0, forCluster("cluster"), 100+int(made.Add(1))%800))
}

var made atomic.Int32

// entriesAtOnce measures from the answer of a call to the first request that is decided
// by it: none may be decided by what was before.
func (p *place) entriesAtOnce(t *testing.T, a *apiServer, client *eks.Client) {
	ctx := t.Context()
	name, guest := aws.String("cluster"), aws.String("arn:aws:iam::"+account+":role/guest")
	// Version 0: else a list may wait a tenth of a second for etcd to be heard from.
	get := func() (int, string) {
		return a.call(t, http.MethodGet, "/api/v1/namespaces/dev/pods?resourceVersion=0", anew(t, p.fresh), nil)
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var took, known []time.Duration
	for range 21 {
		must(client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: guest}))
		made := time.Now()
		if status, body := get(); status != http.StatusForbidden || !strings.Contains(body, "assumed-role/guest/") {
			t.Fatalf("with an entry alone: HTTP %d: %s", status, body)
		}
		known = append(known, time.Since(made))
		must(client.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
			ClusterName: name, PrincipalArn: guest, PolicyArn: aws.String(viewPolicy), AccessScope: &types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"de*"}},
		}))
		began := time.Now()
		if status, body := get(); status != http.StatusOK {
			t.Fatalf("with a policy: HTTP %d: %s", status, body)
		}
		took = append(took, time.Since(began))
		must(client.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: guest, PolicyArn: aws.String(viewPolicy)}))
		if status, body := get(); status != http.StatusForbidden {
			t.Fatalf("after the policy: HTTP %d: %s", status, body)
		}
		must(client.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: guest}))
		if status, body := get(); status != http.StatusForbidden || !strings.Contains(body, "guest-by-aws-auth") {
			t.Fatalf("after the entry: HTTP %d: %s", status, body)
		}
	}
	slices.Sort(known)
	t.Logf("from CreateAccessEntry's answer to that of the first request, which the entry's user makes: median %s, longest %s of %d", known[len(known)/2], known[len(known)-1], len(known))
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("from AssociateAccessPolicy's answer to that of the first request let in, which is the first made: median %s, longest %s of %d", median, took[len(took)-1], len(took))
	lab.Figure(t, "the first request let in", median, 100*time.Millisecond)
}
