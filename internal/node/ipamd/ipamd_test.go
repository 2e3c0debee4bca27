package ipamd

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
)

// A node's role may look at its interface by AmazonEKS_CNI_Policy alone.
func TestLook(t *testing.T) {
	account := doortest.New(t)
	machines := ec2.New(account.Store, doortest.Place, "us-west-2a")
	door := account.Open(t, machines.Service())
	if err := machines.PutInstance(t.Context(), ec2.Instance{
		ID: "i-1", State: ec2.Running, PrivateIP: netip.MustParseAddr("10.0.0.5"), Interfaces: []ec2.Interface{
			{ID: "eni-1", IP: netip.MustParseAddr("10.0.0.5"), Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.1.0/27")}},
			{ID: "eni-2", IP: netip.MustParseAddr("10.0.0.6")},
		},
	}); err != nil {
		t.Fatal(err)
	}
	iam := awsiam.NewFromConfig(door.Admin)
	doortest.Must(t)(iam.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("node"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)}))
	role, _ := account.IAM.RoleByARN("arn:aws:iam::" + doortest.Number + ":role/node")
	keys, err := account.STS.InstanceSession(&role, "i-1", time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			fmt.Fprint(w, "session")
		case strings.HasSuffix(r.URL.Path, "/node"):
			fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":%q,"Token":%q}`, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)
		default:
			fmt.Fprint(w, "node")
		}
	}))
	defer metadata.Close()

	annotated := ""
	m := &Manager{
		Region: "us-west-2", Interface: "eni-1", HTTP: door.Client, Metadata: metadata.URL + "/latest/", Endpoint: &door.URL,
		Account: func(context.Context) (string, string, error) { return annotated, "a.b.c", nil },
	}
	is := func(what, code, text string) {
		t.Helper()
		if err := m.Look(t.Context()); code == "" && err != nil {
			t.Errorf("%s: %v", what, err)
		} else if code != "" {
			doortest.Refused(t, err, code, text)
		}
	}
	is("without the policy", "UnauthorizedOperation", "assumed-role/node/i-1 is not authorized to perform: ec2:DescribeNetworkInterfaces")
	doortest.Must(t)(iam.AttachRolePolicy(t.Context(), &awsiam.AttachRolePolicyInput{RoleName: aws.String("node"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy")}))
	is("with it", "", "")
	m.Interface = "eni-3"
	is("an interface that isn't there", "InvalidNetworkInterfaceID.NotFound", "eni-3")
	m.Interface = "eni-2"
	if err := m.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "no addresses for pods at interface eni-2") {
		t.Errorf("an interface without a prefix: %v", err)
	}
	// An annotated role is taken instead: the node's is no way around its trust.
	m.Interface, annotated = "eni-1", "arn:aws:iam::"+doortest.Number+":role/cni"
	is("a role that does not trust the token", "InvalidIdentityToken", "not a valid JWT")

	// An associated role comes before both, by the node's agent.
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "of.the.pod" {
			http.Error(w, "[]: (InvalidTokenException): no, fault: client", http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Token":%q,"Expiration":%q}`, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer agent.Close()
	token, ended := "of.the.pod", 0
	m.Agent = agent.URL
	m.Associated = func(context.Context) (string, func(), error) { return token, func() { ended++ }, nil }
	is("an associated role", "", "")
	token = "of.another"
	if err := m.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "the Pod Identity agent") || !strings.Contains(err.Error(), "InvalidTokenException") {
		t.Errorf("what the agent refuses: %v", err)
	}
	token = ""
	is("no association", "InvalidIdentityToken", "not a valid JWT")
	if ended != 2 {
		t.Errorf("tokens were done with %d times", ended)
	}
}
