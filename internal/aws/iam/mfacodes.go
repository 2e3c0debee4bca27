package iam

import (
	"context"
	"errors"
	"sync"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/totp"
	"github.com/eksact/eksact/internal/store"
)

// What UseMFACode may find wrong.
var (
	ErrMFADevice = errors.New("the caller has no such MFA device")
	ErrMFACode   = errors.New("the code is not the device's of now, or was used before")
)

// UseMFACode takes a code of one of the caller's devices. No code is taken twice, nor
// an earlier one after it.
func (i *IAM) UseMFACode(ctx context.Context, who *api.Caller, serial, code string) error {
	if who.Type != api.User {
		return ErrMFADevice
	}
	return i.change(ctx, func(tx *store.Tx) error {
		d, ok := i.mfa.In(tx).Get(key(serial))
		if !ok || d.Serial != serial || d.UserID != who.PrincipalID {
			return ErrMFADevice
		}
		now := totp.Step(i.now())
		step, ok := totp.Find(d.Seed, now+d.Drift, codeAway, code)
		if !i.attempt(serial, now, ok) || !ok || step <= d.Last {
			return ErrMFACode
		}
		d.Last = step
		i.mfa.In(tx).Put(key(serial), d)
		return nil
	})
}

// mostWrong is how many wrong codes a device is tried with while one is shown. A code
// has a million possibilities, of which three are right at any time.
const mostWrong = 5

// attempts counts wrong codes, by device.
type attempts struct {
	mu    sync.Mutex
	wrong map[string]tries
}

type tries struct {
	step int64
	n    int
}

// attempt notes one, and says whether its code counts: not after many wrong ones,
// until the next is shown.
func (i *IAM) attempt(serial string, now int64, right bool) bool {
	a := &i.attempts
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.wrong[serial]
	if t.step != now {
		t = tries{step: now}
	}
	if t.n >= mostWrong {
		return false
	}
	if right {
		return true
	}
	t.n++
	if a.wrong == nil {
		a.wrong = map[string]tries{}
	}
	a.wrong[serial] = t
	return true
}
