package sts

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
)

// largestToken is the most that a caller can have its token filled up to, in bytes.
const largestToken = 4096

// open makes the credentials of a session, whose policies and tags it checks. The
// packed size is nil without any.
func (s *STS) open(what sealed, length time.Duration, atLeast *int32) (Keys, *int32, error) {
	if err := s.checkPolicies(&what.Session); err != nil {
		return Keys{}, nil, err
	}
	packed, err := packedSize(&what.Session)
	if err != nil {
		return Keys{}, nil, err
	}
	what.IssuedAt = s.now().UTC().Truncate(time.Second)
	what.Expires = what.IssuedAt.Add(length)
	issued, err := s.issue(what, int(aws.ToInt32(atLeast)))
	return issued, packed, err
}

func checkTokenSize(atLeast *int32) error {
	switch n := aws.ToInt32(atLeast); {
	case n < 0:
		return tokenSize(n, "greater", 0)
	case n > largestToken:
		return tokenSize(n, "less", largestToken)
	}
	return nil
}

func tokenSize(n int32, than string, limit int) error {
	return api.ValidationError("1 validation error detected: Value '%d' at 'minimumSessionTokenSize' failed to satisfy constraint: Member must have value %s than or equal to %d", n, than, limit)
}

// size is a token's, in bytes.
func size(k Keys) *int32 { return aws.Int32(int32(len(k.SessionToken))) }

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
