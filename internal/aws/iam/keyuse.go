package iam

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// useInterval is how exactly the last use of a key or role is kept: writing each
// would make every call a write.
const useInterval = 15 * time.Minute

// uses remembers which uses of keys and roles were written lately.
type uses struct {
	mu      sync.Mutex
	written map[string]KeyUse // by access key id, or a role's unique id
	pending sync.WaitGroup
}

// noteUse notes that a user's long-term key was used, or a role by one of its
// sessions. The record is written beside the call, at most once per interval and
// service.
func (i *IAM) noteUse(who *api.Caller, action string) {
	id := who.AccessKeyID
	if who.Type == api.AssumedRole {
		id = who.PrincipalID
	} else if who.Session != nil {
		return // keys of GetSessionToken are nobody's to look up
	}
	if id == "" {
		return
	}
	service, _, _ := strings.Cut(action, ":")
	use := KeyUse{At: i.timeOf(who).UTC().Truncate(time.Second), Service: service, Region: who.Region}
	if !i.uses.renew(id, use) {
		return
	}
	role := ""
	if who.Type == api.AssumedRole {
		role = who.Name
	}
	i.uses.pending.Go(func() {
		if err := i.writeUse(id, role, use); err != nil {
			slog.Warn("iam: the last use of an access key or role is not noted", "id", id, "error", err)
		}
	})
}

// renew remembers a use and says whether it is to be written.
func (u *uses) renew(id string, use KeyUse) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	last, ok := u.written[id]
	if ok && last.Service == use.Service && last.Region == use.Region && use.At.Sub(last.At) < useInterval {
		return false
	}
	if u.written == nil {
		u.written = map[string]KeyUse{}
	}
	u.written[id] = use
	return true
}

// writeUse writes a use of the key, or of the named role, while it lives.
func (i *IAM) writeUse(id, role string, use KeyUse) error {
	return i.change(context.Background(), func(tx *store.Tx) error {
		_, lives := i.keys.In(tx).Get(id)
		if role != "" {
			r, ok := i.roles.In(tx).Get(key(role))
			lives = ok && r.ID == id
		}
		if lives {
			i.keyUses.In(tx).Put(id, use)
		}
		return nil
	})
}

// Close waits until the uses noted so far are written.
func (i *IAM) Close() { i.uses.pending.Wait() }

// GetAccessKeyLastUsed tells when, where and for what a key was last used.
func (i *IAM) GetAccessKeyLastUsed(_ context.Context, in *iam.GetAccessKeyLastUsedInput) (*iam.GetAccessKeyLastUsedOutput, error) {
	var c check
	c.length("accessKeyId", in.AccessKeyId, 16, 128)
	if err := c.err(); err != nil {
		return nil, err
	}
	k, ok := i.keys.Get(*in.AccessKeyId)
	if !ok {
		return nil, noSuchEntity("The Access Key with id %s cannot be found.", *in.AccessKeyId)
	}
	out := &iam.GetAccessKeyLastUsedOutput{}
	if u, ok := i.users.Get(k.User); ok {
		out.UserName = &u.Name
	}
	never := "N/A"
	out.AccessKeyLastUsed = &types.AccessKeyLastUsed{Region: &never, ServiceName: &never}
	if use, ok := i.keyUses.Get(k.ID); ok {
		out.AccessKeyLastUsed = &types.AccessKeyLastUsed{Region: &use.Region, ServiceName: &use.Service, LastUsedDate: &use.At}
	}
	return out, nil
}

// roleLastUsed tells when and where a session of a role was last used; nothing of
// one that never was.
func (i *IAM) roleLastUsed(r *Role) *types.RoleLastUsed {
	use, ok := i.keyUses.Get(r.ID)
	if !ok {
		return &types.RoleLastUsed{}
	}
	return &types.RoleLastUsed{LastUsedDate: &use.At, Region: &use.Region}
}
