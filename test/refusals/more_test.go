package refusals

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"testing"
)

// overTLS speaks to the same port by TLS, with and without trust in its
// authority.
func (p *place) overTLS(t *testing.T) {
	door := strings.Replace(p.door, "http://", "https://", 1)
	pool := x509.NewCertPool()
	bundle, err := os.ReadFile(p.State + "/trust.pem")
	if err != nil || !pool.AppendCertsFromPEM(bundle) {
		t.Fatalf("trust.pem: %v", err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest("GET", presign(t, p.admin, door, 0, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := exchange(t, client, req); !strings.HasPrefix(got, "200 ") {
		t.Errorf("answered %q", got)
	}
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}}
	if resp, err := stranger.Do(req); err == nil {
		resp.Body.Close()
		t.Error("a client that does not trust the authority was served")
	}
}

// cli shows what users of the AWS CLI see.
func (p *place) cli(t *testing.T) {
	for _, major := range []string{"1", "2"} {
		t.Run(major, func(t *testing.T) {
			sh := p.host.AWS(t, major)
			sh.Must(t, "aws sts get-caller-identity", "user/admin")
			sh.Refused(t, "AWS_SECRET_ACCESS_KEY=wrong aws sts get-caller-identity", "(SignatureDoesNotMatch)")
			sh.Refused(t, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE aws sts get-caller-identity", "(InvalidClientTokenId)", "The security token included in the request is invalid")
			sh.Refused(t, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE aws eks list-clusters", "(UnrecognizedClientException)")
			sh.Refused(t, "AWS_ACCESS_KEY_ID="+p.old.AccessKeyID+" AWS_SECRET_ACCESS_KEY="+p.old.SecretAccessKey+" AWS_SESSION_TOKEN="+p.old.SessionToken+" aws sts get-caller-identity",
				"(ExpiredToken)", "The security token included in the request is expired")
			sh.Refused(t, "aws iam list-saml-providers", "(InvalidAction)")
			sh.Refused(t, "aws eks describe-cluster --name none", "(ResourceNotFoundException)", "No cluster found for name: none.")
		})
	}
}

// sessions shows that a session has its role's powers and no more, and ends with
// its role.
func (p *place) sessions(t *testing.T) {
	sh := p.host.AWS(t, "2")
	guest := sh.With("GUEST_ID="+p.fresh.AccessKeyID, "GUEST_SECRET="+p.fresh.SecretAccessKey, "GUEST_TOKEN="+p.fresh.SessionToken).
		After("export AWS_ACCESS_KEY_ID=$GUEST_ID AWS_SECRET_ACCESS_KEY=$GUEST_SECRET AWS_SESSION_TOKEN=$GUEST_TOKEN")
	guest.Must(t, "aws sts get-caller-identity", "assumed-role/guest/i-0123456789abcdef0")
	guest.Refused(t, "aws iam list-roles", "(AccessDenied)",
		"User: arn:aws:sts::111122223333:assumed-role/guest/i-0123456789abcdef0 is not authorized to perform: iam:ListRoles on resource: ",
		"because no identity-based policy allows the iam:ListRoles action")
	guest.Refused(t, "aws eks list-clusters", "(AccessDeniedException)")
	guest.Refused(t, "aws ec2 describe-vpcs", "(UnauthorizedOperation)")
	guest.Refused(t, "aws sts assume-role --role-arn arn:aws:iam::111122223333:role/eksctl-cluster-cluster-ServiceRole --role-session-name me", "(AccessDenied)")
}
