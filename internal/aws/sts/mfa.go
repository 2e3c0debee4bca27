package sts

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/iam"
)

// withMFA says whether the caller shows to have one of its MFA devices, which only a
// user can; an error if it tries in vain. The code is used up, whatever becomes of
// the call.
func (s *STS) withMFA(ctx context.Context, who *api.Caller, serial, code *string) (bool, error) {
	if serial == nil && code == nil {
		return false, nil
	}
	if serial == nil || code == nil {
		return false, denied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	}
	err := s.iam.UseMFACode(ctx, who, aws.ToString(serial), aws.ToString(code))
	switch {
	case errors.Is(err, iam.ErrMFADevice):
		return false, denied("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	case errors.Is(err, iam.ErrMFACode):
		return false, denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	}
	return err == nil, err
}

// mfaKeys are the condition keys of a call that comes with a code.
func mfaKeys(keys map[string][]string) {
	keys["aws:MultiFactorAuthPresent"] = []string{"true"}
	keys["aws:MultiFactorAuthAge"] = []string{"0"}
}
