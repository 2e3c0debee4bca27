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

// useInterval is how exactly the last use of a key is kept: writing each would
// make every call a write.
const useInterval = 15 * time.Minute

// uses remembers which uses of keys were written lately.
type uses struct {
	mu      sync.Mutex
	written map[string]KeyUse
	pending sync.WaitGroup
}

// noteUse notes that a long-term key was used. The record is written beside the
// call, at most once per interval and service.
func (i *IAM) noteUse(who *api.Caller, action string) {
	if who.Session != nil || who.AccessKeyID == "" {
		return
	}
	service, _, _ := strings.Cut(action, ":")
	now := i.now()
	i.uses.mu.Lock()
	last, ok := i.uses.written[who.AccessKeyID]
	if ok && last.Service == service && last.Region == who.Region && now.Sub(last.At) < useInterval {
		i.uses.mu.Unlock()
		return
	}
	use := KeyUse{At: now.UTC().Truncate(time.Second), Service: service, Region: who.Region}
	if i.uses.written == nil {
		i.uses.written = map[string]KeyUse{}
	}
	i.uses.written[who.AccessKeyID] = use
	i.uses.mu.Unlock()
	id := who.AccessKeyID
	i.uses.pending.Go(func() {
		err := i.change(context.Background(), func(tx *store.Tx) error {
			if _, ok := i.keys.In(tx).Get(id); ok {
				i.keyUses.In(tx).Put(id, use)
			}
			return nil
		})
		if err != nil {
			slog.Warn("iam: the last use of an access key is not noted", "key", id, "error", err)
		}
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
