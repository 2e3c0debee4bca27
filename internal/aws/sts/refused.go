package sts

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// addRefused registers the operations that there are not, so that each says why:
// calls without a signature, too, which the front door would ask for one.
func (s *STS) addRefused(svc *api.Service) {
	refuse[sts.AssumeRoleWithSAMLInput, sts.AssumeRoleWithSAMLOutput](svc, "AssumeRoleWithSAML", notOffered("AssumeRoleWithSAML", "there are no SAML providers"))
	refuse[sts.AssumeRootInput, sts.AssumeRootOutput](svc, "AssumeRoot", notOffered("AssumeRoot", "the account is in no organization"))
	refuse[sts.GetDelegatedAccessTokenInput, sts.GetDelegatedAccessTokenOutput](svc, "GetDelegatedAccessToken", notOffered("GetDelegatedAccessToken", "there are no delegation requests"))
	text := "Outbound web identity federation is not enabled for this account, and can't be: GetWebIdentityToken is not offered here."
	refuse[sts.GetWebIdentityTokenInput, sts.GetWebIdentityTokenOutput](svc, "GetWebIdentityToken", &types.OutboundWebIdentityFederationDisabledException{Message: &text})
}

func notOffered(operation, why string) error {
	return api.Errorf(http.StatusBadRequest, "InvalidAction", "%s is not offered here: %s.", operation, why)
}

// refuse registers an operation whose answer is always the error. Nobody needs a
// right to hear it.
func refuse[I, O any](svc *api.Service, name string, answer error) {
	api.Add(svc, name, func(context.Context, *I) (*O, error) { return nil, answer }, nil)
	op := svc.Operations[name]
	op.SelfAuthorized, op.Unsigned = true, name == "AssumeRoleWithSAML"
	svc.Operations[name] = op
}
