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
func (s *STS) withMFA(ctx context.Context, who *api.Caller, action string, serial, code *string) (bool, error) {
	if serial == nil && code == nil {
		return false, nil
	}
	if serial == nil || code == nil {
		return false, s.refuse(who, action, "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.", "one of the two was given")
	}
	err := s.iam.UseMFACode(ctx, who, aws.ToString(serial), aws.ToString(code))
	switch {
	case errors.Is(err, iam.ErrMFADevice):
		return false, s.refuse(who, action, "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.",
			"the caller has no MFA device "+aws.ToString(serial))
	case errors.Is(err, iam.ErrMFACode):
		return false, s.refuse(who, action, "MultiFactorAuthentication failed with invalid MFA one time pass code. ", "the code is not one of the device's, of this time, or was used already")
	}
	return err == nil, err
}

// mfaKeys are the condition keys of a call that comes with a code.
func mfaKeys(keys map[string][]string) {
	keys["aws:MultiFactorAuthPresent"] = []string{"true"}
	keys["aws:MultiFactorAuthAge"] = []string{"0"}
}
