// Package irsa is the control irsa, see README.md.
package irsa

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	corev1 "k8s.io/api/core/v1"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "irsa", Claim: "a pod has its service account's IAM role, and no other pod has it", Check: check}

const (
	audience = "sts.amazonaws.com"
	account  = "irsa"
	other    = "irsa-other"
	// fixHook is for pods that aren't changed.
	fixHook  = "kubectl get mutatingwebhookconfiguration pod-identity-webhook -o yaml   # is it there, and does it cover pods?"
	fixTrust = "aws iam get-role --role-name ROLE --query Role.AssumeRolePolicyDocument   # does it ask for the issuer's sub and aud?"
)

func check(ctx context.Context, s *verify.Session) (string, error) {
	g, err := s.Guest(ctx)
	if err != nil {
		return "", err
	}
	issuer, provider, err := openProvider(ctx, s)
	if err != nil {
		return "", err
	}
	name := g.Role + "-irsa"
	role, err := s.Role(ctx, name, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":%q},"Action":"sts:AssumeRoleWithWebIdentity",`+
		`"Condition":{"StringEquals":{"%[2]s:sub":"system:serviceaccount:%[3]s:%[4]s","%[2]s:aud":"sts.amazonaws.com"}}}]}`, provider, issuer, g.Role, account))
	if err != nil {
		return "", err
	}
	if err := errors.Join(g.Account(ctx, account, map[string]string{"eks.amazonaws.com/role-arn": role}), g.Account(ctx, other, nil)); err != nil {
		return "", err
	}
	pod, err := g.Pod(ctx, account, account)
	if err != nil {
		return "", err
	}
	if err := changed(s, pod, role); err != nil {
		return "", err
	}
	stranger, err := g.Pod(ctx, other, other)
	if err != nil {
		return "", err
	}
	who, err := assume(ctx, s, g, pod, audience, role, func(err error) bool { return err == nil })
	if err != nil {
		return "", verify.Refute(fixTrust, "the token of the account that the role trusts is refused: %v", err)
	}
	if !strings.HasPrefix(who, s.SessionOf(name)) {
		return "", verify.Refute(fixTrust, "the pod of role %s is %s", name, who)
	}
	for _, refused := range []struct {
		pod            *corev1.Pod
		audience, code string
	}{{stranger, audience, "AccessDenied"}, {pod, "eksact-verify.invalid", "InvalidIdentityToken"}} {
		who, err := assume(ctx, s, g, refused.pod, refused.audience, role, func(error) bool { return true })
		switch {
		case err == nil:
			return "", verify.Refute(fixTrust, "a pod of service account %s, with a token for %s, became %s", refused.pod.Spec.ServiceAccountName, refused.audience, who)
		case verify.Code(err) != refused.code:
			return "", fmt.Errorf("a pod of service account %s, with a token for %s: %w", refused.pod.Spec.ServiceAccountName, refused.audience, err)
		}
	}
	return fmt.Sprintf("a pod of %s/%s got role %s; the token of another service account was refused, and one for another audience", g.Role, account, path.Base(path.Dir(who))), nil
}

// openProvider finds the cluster's issuer (without https://) and its provider's ARN, and
// makes the provider if there is none.
func openProvider(ctx context.Context, s *verify.Session) (issuer, arn string, err error) {
	c, err := s.Described(ctx)
	if err != nil {
		return "", "", err
	}
	if c.Identity == nil || c.Identity.Oidc == nil {
		return "", "", verify.Skip("the cluster has no OIDC issuer")
	}
	url := aws.ToString(c.Identity.Oidc.Issuer)
	issuer = strings.TrimPrefix(url, "https://")
	arn = fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", s.Partition, s.Account, issuer)
	found, err := s.IAM.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	var none *iamtypes.NoSuchEntityException
	switch {
	case errors.As(err, &none):
	case err != nil:
		return "", "", err
	case !slices.Contains(found.ClientIDList, audience):
		return "", "", verify.Refute("aws iam add-client-id-to-open-id-connect-provider --client-id "+audience+" --open-id-connect-provider-arn "+arn,
			"the cluster's OIDC provider takes tokens for %s, and not for %s", strings.Join(found.ClientIDList, ", "), audience)
	default:
		return issuer, arn, nil
	}
	if _, err := s.IAM.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &url, ClientIDList: []string{audience}}); err != nil {
		return "", "", err
	}
	s.OnClose(func(ctx context.Context) error {
		_, err := s.IAM.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
		return err
	})
	return issuer, arn, nil
}

// changed is an error unless a pod was told where its credentials are.
func changed(s *verify.Session, p *corev1.Pod, role string) error {
	got, file, of := verify.Variable(p, "AWS_ROLE_ARN"), verify.Variable(p, "AWS_WEB_IDENTITY_TOKEN_FILE"), verify.Audience(p, "aws-iam-token")
	s.Note("create pod "+p.Name, "AWS_ROLE_ARN=%s AWS_WEB_IDENTITY_TOKEN_FILE=%s, a token for %q", got, file, of)
	if got != role || file == "" || of != audience {
		return verify.Refute(fixHook, "a pod of an annotated service account was made with AWS_ROLE_ARN=%q, AWS_WEB_IDENTITY_TOKEN_FILE=%q and a token for %q", got, file, of)
	}
	return nil
}

// assume exchanges a token of a pod for credentials, and returns whose they are.
func assume(ctx context.Context, s *verify.Session, g *verify.Guest, p *corev1.Pod, audience, role string, done func(error) bool) (string, error) {
	token, err := g.Token(ctx, p, audience)
	if err != nil {
		return "", err
	}
	var out *sts.AssumeRoleWithWebIdentityOutput
	err = verify.Settle(ctx, func() (err error) {
		out, err = s.STS.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: &g.Role, WebIdentityToken: &token})
		return err
	}, done)
	if err != nil {
		s.Note("sts AssumeRoleWithWebIdentity as pod "+p.Name+", token for "+audience, "%v", err)
		return "", err
	}
	return s.WhoHas(ctx, out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken)
}
