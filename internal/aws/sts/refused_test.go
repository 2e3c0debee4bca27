package sts_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/front/wire"
)

// Every operation of the API's model is either one that there is, or refused by its
// name; none answers falsely.
func TestEveryOperationOfTheModel(t *testing.T) {
	offered := []string{"AssumeRole", "AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage", "GetAccessKeyInfo", "GetCallerIdentity", "GetFederationToken", "GetSessionToken"}
	d := behindDoor(t)
	c := awssts.NewFromConfig(d.Admin)
	ctx, arn := t.Context(), aws.String("arn:aws:iam::111122223333:role/a-role")
	refused := map[string]struct {
		err  error
		want string
	}{
		"AssumeRoleWithSAML":      {second(c.AssumeRoleWithSAML(ctx, &awssts.AssumeRoleWithSAMLInput{RoleArn: arn, PrincipalArn: arn, SAMLAssertion: aws.String("PHNhbWw+")})), "InvalidAction: AssumeRoleWithSAML is not offered here: there are no SAML providers."},
		"AssumeRoot":              {second(c.AssumeRoot(ctx, &awssts.AssumeRootInput{TargetPrincipal: aws.String("111122223333"), TaskPolicyArn: policyARN("arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials")})), "InvalidAction: AssumeRoot is not offered here: the account is in no organization."},
		"GetDelegatedAccessToken": {second(c.GetDelegatedAccessToken(ctx, &awssts.GetDelegatedAccessTokenInput{TradeInToken: aws.String("token")})), "InvalidAction: GetDelegatedAccessToken is not offered here: there are no delegation requests."},
		"GetWebIdentityToken":     {second(c.GetWebIdentityToken(ctx, &awssts.GetWebIdentityTokenInput{Audience: []string{"a"}, SigningAlgorithm: aws.String("ES384")})), "OutboundWebIdentityFederationDisabledException: Outbound web identity federation is not enabled for this account"},
	}
	codec, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	registered := d.sts.Service().Operations
	for _, name := range codec.Service("sts").Operations() {
		r, isRefused := refused[name]
		_, there := registered[name]
		if !there || slices.Contains(offered, name) == isRefused {
			t.Errorf("%s: registered %v, offered %v, refused %v", name, there, slices.Contains(offered, name), isRefused)
		}
		if isRefused {
			says(t, r.err, r.want)
		}
	}
	if len(registered) != len(offered)+len(refused) {
		t.Errorf("%d operations are registered", len(registered))
	}

	// Without a signature, those that AWS takes so.
	for name, want := range map[string]string{"AssumeRoleWithSAML": "InvalidAction", "AssumeRoot": "MissingAuthenticationToken", "GetWebIdentityToken": "MissingAuthenticationToken", "GetFederationToken": "MissingAuthenticationToken"} {
		form := url.Values{"Action": {name}, "Version": {"2011-06-15"}, "RoleArn": {*arn}, "PrincipalArn": {*arn}, "SAMLAssertion": {"PHNhbWw+"}}
		answer, err := http.PostForm(d.URL, form)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if !strings.Contains(string(body), "<Code>"+want+"</Code>") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

func TestAccessKeyInfo(t *testing.T) {
	a := open(t)
	for id, want := range map[string]string{
		"AKIARZPUZDIKGB2VALC4": "123456789012", "ASIARZPUZDIKGB2VALC4": "123456789012",
		"AIDARZPUZDIKGB2VALC4": "", "XKIARZPUZDIKGB2VALC4": "", "AKIARZPUZDIKGB2VALC": "", "AKIAIOSFODNN7EXAMPLE": "", "AKIA0000000000000000": "",
	} {
		out, err := a.sts.GetAccessKeyInfo(a.admin, &awssts.GetAccessKeyInfoInput{AccessKeyId: &id})
		if want == "" {
			says(t, err, "ValidationError: "+id+" is not a valid access key id")
		} else if err != nil || *out.Account != want {
			t.Errorf("%s: %v, %v", id, out, err)
		}
	}
}
