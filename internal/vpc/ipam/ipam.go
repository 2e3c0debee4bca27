package ipam

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/eksact/eksact/internal/store"
)

// Lease is the record of an address or block given to an owner.
type Lease struct {
	Range  string
	Owner  string
	Prefix netip.Prefix // a /32, or a block
}

// ErrFull says that a range has no free address, or block of the size.
var ErrFull = errors.New("InsufficientFreeAddresses")

// Cursor is the record of what was given last: next-fit goes on from there.
type Cursor struct{ Last netip.Addr }

// Allocator hands out addresses of its ranges. Safe for concurrent use.
type Allocator struct {
	store   *store.Store
	leases  *store.Table[Lease]
	cursors *store.Table[Cursor]

	mu     sync.RWMutex
	ranges map[string]Range
	order  []Range
}

// New registers the allocator's tables in the store: call it before the store is
// loaded. Ranges may grow and be added from one start to the next.
func New(s *store.Store, ranges []Range) *Allocator {
	a := &Allocator{
		store:   s,
		leases:  store.NewTable[Lease](s, "vpc/lease"),
		cursors: store.NewTable[Cursor](s, "vpc/cursor"),
		ranges:  map[string]Range{},
		order:   ranges,
	}
	for _, r := range ranges {
		a.ranges[r.Name] = r
	}
	return a
}

// Address gives owner one address of the range, the same at each call.
func (a *Allocator) Address(ctx context.Context, rangeName, owner string) (netip.Addr, error) {
	p, err := a.take(ctx, rangeName, owner, 32)
	return p.Addr(), err
}

// Block gives owner a block of addresses, 2^(32-bits) of them, aligned to its
// size, the same at each call.
func (a *Allocator) Block(ctx context.Context, rangeName, owner string, bits int) (netip.Prefix, error) {
	return a.take(ctx, rangeName, owner, bits)
}

func (a *Allocator) take(ctx context.Context, rangeName, owner string, bits int) (netip.Prefix, error) {
	r, ok := a.Range(rangeName)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("no address range %q", rangeName)
	}
	kind := kindOf(bits)
	key := owner + "|" + r.Name + "|" + kind
	if l, ok := a.leases.Get(key); ok {
		return l.Prefix, nil
	}
	var got netip.Prefix
	err := a.store.Update(ctx, func(tx *store.Tx) error {
		leases, cursors := a.leases.In(tx), a.cursors.In(tx)
		if l, ok := leases.Get(key); ok {
			got = l.Prefix
			return nil
		}
		var used []netip.Prefix
		for _, l := range leases.List("") {
			if l.Prefix.Overlaps(r.Prefix) {
				used = append(used, l.Prefix)
			}
		}
		cursor, _ := cursors.Get(r.Name + "|" + kind)
		var free bool
		if got, free = fitLow(r, bits, used, cursor.Last); !free {
			return fmt.Errorf("%w: no free %s in %s (%s)", ErrFull, kind, r.Name, r.Prefix)
		}
		leases.Put(key, Lease{Range: r.Name, Owner: owner, Prefix: got})
		cursors.Put(r.Name+"|"+kind, Cursor{Last: got.Addr()})
		return nil
	})
	return got, err
}

// fitLow is Fit, but keeps single addresses out of where blocks are while it can.
func fitLow(r Range, bits int, used []netip.Prefix, after netip.Addr) (netip.Prefix, bool) {
	if bits == 32 && r.BlocksFrom > 0 {
		low := r
		low.Last = max(r.Last, 1<<(32-r.Prefix.Bits())-r.BlocksFrom)
		if p, ok := Fit(low, bits, used, after); ok {
			return p, true
		}
	}
	return Fit(r, bits, used, after)
}

// Claim gives owner one address of the range that it has chosen, in place of the one
// it had. What another has is refused.
func (a *Allocator) Claim(ctx context.Context, rangeName, owner string, want netip.Addr) error {
	r, ok := a.Range(rangeName)
	if !ok {
		return fmt.Errorf("no address range %q", rangeName)
	}
	one := netip.PrefixFrom(want, 32)
	if p, free := Fit(r, 32, nil, want.Prev()); !r.Prefix.Contains(want) || !free || p != one {
		return fmt.Errorf("address %s is not one that %s (%s) gives", want, r.Name, r.Prefix)
	}
	key := owner + "|" + r.Name + "|" + kindOf(32)
	if l, ok := a.leases.Get(key); ok && l.Prefix == one {
		return nil
	}
	return a.store.Update(ctx, func(tx *store.Tx) error {
		leases := a.leases.In(tx)
		for k, l := range leases.List("") {
			if l.Prefix.Overlaps(one) && k != key {
				return fmt.Errorf("address %s is in use", want)
			}
		}
		leases.Put(key, Lease{Range: r.Name, Owner: owner, Prefix: one})
		return nil
	})
}

func kindOf(bits int) string {
	if bits == 32 {
		return "address"
	}
	return fmt.Sprintf("block of /%d", bits)
}

// Release gives back all that the owner has. An owner of nothing is no error.
func (a *Allocator) Release(ctx context.Context, owner string) error {
	return a.store.Update(ctx, func(tx *store.Tx) error {
		leases := a.leases.In(tx)
		for key := range leases.List(owner + "|") {
			leases.Delete(key)
		}
		return nil
	})
}

// Leases lists what the owner has.
func (a *Allocator) Leases(owner string) []Lease {
	var out []Lease
	for _, l := range a.leases.List(owner + "|") {
		out = append(out, l)
	}
	return out
}

// OwnerOf returns who has the address, by itself or in a block.
func (a *Allocator) OwnerOf(addr netip.Addr) (owner string, ok bool) {
	for _, l := range a.leases.List("") {
		if l.Prefix.Contains(addr) {
			return l.Owner, true
		}
	}
	return "", false
}

// Owners lists all who have something, with a common prefix of their names.
func (a *Allocator) Owners(prefix string) []string {
	var out []string
	for key := range a.leases.List(prefix) {
		owner, _, _ := strings.Cut(key, "|")
		if len(out) == 0 || out[len(out)-1] != owner {
			out = append(out, owner)
		}
	}
	return out
}

// Put adds a range, or changes the one of its name. Ranges that are no longer used
// may stay: nobody asks for their addresses.
func (a *Allocator) Put(r Range) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ranges[r.Name] = r
	a.order = slices.DeleteFunc(slices.Clone(a.order), func(old Range) bool { return old.Name == r.Name || old.Prefix.Overlaps(r.Prefix) })
	a.order = append(a.order, r)
}

// Used counts the addresses of a range that are given out, those of blocks too.
func (a *Allocator) Used(rangeName string) int {
	used := 0
	for _, l := range a.leases.List("") {
		if l.Range == rangeName {
			used += 1 << (32 - l.Prefix.Bits())
		}
	}
	return used
}

// Range returns a range by name.
func (a *Allocator) Range(name string) (Range, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	r, ok := a.ranges[name]
	return r, ok
}

// RangeOf returns the range that an address belongs to.
func (a *Allocator) RangeOf(addr netip.Addr) (Range, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, r := range a.order {
		if r.Prefix.Contains(addr) {
			return r, true
		}
	}
	return Range{}, false
}
