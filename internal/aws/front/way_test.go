package front

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
)

// TestWays: the address that a connection was made to says which service answers
// there and by which endpoint the call came, whatever its headers say.
func TestWays(t *testing.T) {
	d := open(t)
	way, isOpen := Way{Only: "eks", Endpoint: &api.Endpoint{ID: "vpce-1", VPC: "vpc-1"}}, true
	d.front.Ways = func(to net.Addr) (Way, bool) {
		if "http://"+to.String() != d.url {
			t.Errorf("the connection was made to %s, not %s", to, d.url)
		}
		return way, isOpen
	}
	config := d.config(admin)
	if _, err := eks.NewFromConfig(config).ListClusters(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if e := d.gate.who.Endpoint; e == nil || e.ID != "vpce-1" {
		t.Errorf("the caller came by %+v", e)
	}
	refused := func(err error, code, text string) {
		t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
			t.Errorf("got %v, want %s: %s", err, code, text)
		}
	}
	_, err := iam.NewFromConfig(config).ListRoles(t.Context(), nil)
	refused(err, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'eks'.")
	_, err = sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
	refused(err, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'eks'.")
	_, err = sts.NewFromConfig(config).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/r"), RoleSessionName: aws.String("s"), WebIdentityToken: aws.String("token")})
	refused(err, "InvalidAction", "AssumeRoleWithWebIdentity")

	way = Way{}
	if _, err := iam.NewFromConfig(config).ListRoles(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if d.gate.who.Endpoint != nil {
		t.Error("a call by the public address came by an endpoint")
	}
	isOpen = false
	if res, err := http.Get(d.url); err == nil {
		res.Body.Close()
		t.Errorf("a way that is shut answers %s", res.Status)
	}
	if err := d.trail.Flush(); err != nil {
		t.Fatal(err)
	}
	records, err := cloudtrail.Read(d.dir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if by := strings.Contains(string(r.Raw), `"vpcEndpointId":"vpce-1","vpcEndpointAccountId":"111122223333"`); by != (r.EventName == "ListClusters") {
			t.Errorf("the event of %s: %s", r.EventName, r.Raw)
		}
	}
}
