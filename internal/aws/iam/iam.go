package iam

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// IAM is the service of one account.
type IAM struct {
	store *store.Store
	place api.Place
	now   func() time.Time

	users     *store.Table[User]
	groups    *store.Table[Group]
	roles     *store.Table[Role]
	policies  *store.Table[Policy]
	profiles  *store.Table[Profile]
	issuers   *store.Table[OIDCProvider]
	mfa       *store.Table[MFADevice]
	keys      *store.Table[AccessKey]
	awsUses   *store.Table[Uses]
	keyUses   *store.Table[KeyUse]
	account   *store.Table[Account]
	reports   *store.Table[Report]
	deletions *store.Table[deletion]

	awsManaged *library
	index      *index
	sessions   texts     // session policies
	spare      sync.Pool // of *conditions
	lastSecond atomic.Pointer[second]
	uses       uses
	refusals   denials

	attempts attempts // with MFA codes

	readThumbprint func(ctx context.Context, url string) (string, error) // nil: nobody does
}

// New makes the service over a store, registering its tables there.
func New(s *store.Store, place api.Place, now func() time.Time) (*IAM, error) {
	if _, err := NewID(userPrefix, place.AccountID, make([]byte, 9)); err != nil {
		return nil, fmt.Errorf("iam: %w", err)
	}
	aws, err := openLibrary(place.Partition)
	if err != nil {
		return nil, fmt.Errorf("iam: %w", err)
	}
	i := &IAM{
		store: s, place: place, now: now, awsManaged: aws,
		users:     store.NewTable[User](s, "iam/user"),
		groups:    store.NewTable[Group](s, "iam/group"),
		roles:     store.NewTable[Role](s, "iam/role"),
		policies:  store.NewTable[Policy](s, "iam/policy"),
		profiles:  store.NewTable[Profile](s, "iam/profile"),
		mfa:       store.NewTable[MFADevice](s, "iam/mfa"),
		issuers:   store.NewTable[OIDCProvider](s, "iam/oidcprovider"),
		keys:      store.NewTable[AccessKey](s, "iam/key"),
		awsUses:   store.NewTable[Uses](s, "iam/awspolicy"),
		keyUses:   store.NewTable[KeyUse](s, "iam/keyuse"),
		account:   store.NewTable[Account](s, "iam/account"),
		reports:   store.NewTable[Report](s, "iam/report"),
		deletions: store.NewTable[deletion](s, "iam/deletion"),
	}
	i.index = newIndex(i)
	return i, nil
}

// today is the time to note in records: IAM's dates have whole seconds.
func (i *IAM) today() time.Time { return i.now().UTC().Truncate(time.Second) }

// arn is the ARN of an IAM resource: "role" + "/path/" + "name".
func (i *IAM) arn(kind, path, name string) string {
	return "arn:" + i.place.Partition + ":iam::" + i.place.AccountID + ":" + kind + path + name
}

func (i *IAM) userARN(u *User) string       { return i.arn("user", u.Path, u.Name) }
func (i *IAM) groupARN(g *Group) string     { return i.arn("group", g.Path, g.Name) }
func (i *IAM) roleARN(r *Role) string       { return i.arn("role", r.Path, r.Name) }
func (i *IAM) policyARN(p *Policy) string   { return i.arn("policy", p.Path, p.Name) }
func (i *IAM) profileARN(p *Profile) string { return i.arn("instance-profile", p.Path, p.Name) }

// domain is where the partition's services live: ec2.amazonaws.com.
func (i *IAM) domain() string {
	if i.place.Partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// change is one transaction.
func (i *IAM) change(ctx context.Context, fn func(*store.Tx) error) error {
	return i.store.Update(ctx, fn)
}
