package doortest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/front/wire"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/store"
)

// Number is the account's.
const Number = "111122223333"

// Place is where it is.
var Place = api.Place{Partition: "aws", AccountID: Number, Region: "us-west-2"}

// Account is an account with its admin, and nothing else yet. All ends with the
// test.
type Account struct {
	Store    *store.Store
	IAM      *iam.IAM
	STS      *sts.STS
	Trail    *cloudtrail.Trail
	TrailDir string
}

// New makes an account.
func New(t testing.TB) *Account {
	t.Helper()
	return NewAt(t, time.Now, time.Now)
}

// NewAt makes an account whose services have clocks of their own. The front door
// has the machine's.
func NewAt(t testing.TB, ofIAM, ofSTS func() time.Time) *Account {
	t.Helper()
	a := &Account{Store: store.NewMemory(), TrailDir: t.TempDir()}
	t.Cleanup(a.Store.Close)
	var err error
	if a.IAM, err = iam.New(a.Store, Place, ofIAM); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.IAM.Close)
	a.STS = sts.New(a.Store, Place, a.IAM, ofSTS)
	if err := errors.Join(a.IAM.Bootstrap(t.Context()), a.STS.Open(t.Context())); err != nil {
		t.Fatal(err)
	}
	if a.Trail, err = cloudtrail.Open(a.TrailDir, cloudtrail.Options{TotalBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Trail.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// AdminKey is the admin's access key.
func (a *Account) AdminKey(t testing.TB) aws.Credentials {
	t.Helper()
	k, err := a.IAM.Admin()
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey}
}

// Front is the front door to IAM, STS and more services, without a server.
func (a *Account) Front(t testing.TB, more ...*api.Service) *front.Front {
	t.Helper()
	codec, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	f, err := front.New(front.Config{
		Place: Place, Codec: front.Wire(codec), Credentials: keyring{a.STS}, Authorizer: a.IAM, Recorder: a.Trail, Messages: a.STS,
		Services: append(more, a.IAM.Service(), a.STS.Service()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// keyring shows STS's keys to the front door, as the daemon does.
type keyring struct{ *sts.STS }

// Resolve implements front.Credentials.
func (k keyring) Resolve(ctx context.Context, id, token string, now time.Time) (string, api.Caller, error) {
	secret, who, err := k.STS.Resolve(ctx, id, token, now)
	switch {
	case errors.Is(err, sts.ErrUnknownKey):
		err = front.ErrUnknownKey
	case errors.Is(err, sts.ErrBadToken):
		err = front.ErrBadToken
	case errors.Is(err, sts.ErrExpiredToken):
		err = front.ErrExpiredToken
	}
	return secret, who, err
}
