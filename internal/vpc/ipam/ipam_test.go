package ipam

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/store"
)

var private = Range{Name: "private-a", Prefix: netip.MustParsePrefix("10.0.64.0/19"), First: 4, Last: 1, BlocksFrom: 256}

func TestFit(t *testing.T) {
	p := netip.MustParsePrefix
	tests := []struct {
		name  string
		r     Range
		bits  int
		used  []netip.Prefix
		after string
		want  string // empty: none
	}{
		{"first address skips AWS's four", private, 32, nil, "", "10.0.64.4/32"},
		{"first block", private, 27, nil, "", "10.0.65.0/27"},
		{"goes on after the last", private, 32, nil, "10.0.64.9", "10.0.64.10/32"},
		{"skips used", private, 32, []netip.Prefix{p("10.0.64.10/32"), p("10.0.64.11/32")}, "10.0.64.9", "10.0.64.12/32"},
		{"skips used blocks", private, 27, []netip.Prefix{p("10.0.65.0/27"), p("10.0.65.37/32")}, "", "10.0.65.64/27"},
		{"wraps around", private, 32, nil, "10.0.95.254", "10.0.64.4/32"},
		{"last block would hold the last address", private, 27, nil, "10.0.95.192", "10.0.65.0/27"},
		{"last address never", Range{Prefix: p("10.0.0.0/29"), First: 4, Last: 1}, 32, []netip.Prefix{p("10.0.0.4/30")}, "", ""},
		{"full", Range{Prefix: p("10.0.0.0/30")}, 32, []netip.Prefix{p("10.0.0.0/30")}, "10.0.0.1", ""},
		{"block larger than range", Range{Prefix: p("10.0.0.0/28")}, 27, nil, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var after netip.Addr
			if test.after != "" {
				after = netip.MustParseAddr(test.after)
			}
			got, ok := Fit(test.r, test.bits, test.used, after)
			if ok != (test.want != "") || ok && got.String() != test.want {
				t.Fatalf("got %v, %v; want %q", got, ok, test.want)
			}
		})
	}
}

// Whatever was given and released before: what Fit gives is inside, aligned,
// outside the reserved, and free; and it finds a place whenever there is one.
func TestFitProperties(t *testing.T) {
	r := Range{Prefix: netip.MustParsePrefix("10.1.2.0/26"), First: 4, Last: 1, BlocksFrom: 16}
	rapid.Check(t, func(t *rapid.T) {
		var used []netip.Prefix
		for _, n := range rapid.SliceOf(rapid.IntRange(0, 63)).Draw(t, "used") {
			used = append(used, prefix(number(r.Prefix.Addr())+uint64(n), rapid.SampledFrom([]int{32, 30, 28}).Draw(t, "bits")).Masked())
		}
		bits := rapid.SampledFrom([]int{32, 30, 28}).Draw(t, "want")
		after := prefix(number(r.Prefix.Addr())+rapid.Uint64Range(0, 63).Draw(t, "after"), 32).Addr()
		free := func(p netip.Prefix) bool {
			low, size := number(p.Addr())-number(r.Prefix.Addr()), uint64(1)<<(32-p.Bits())
			if low < 4 || low+size > 63 || bits < 32 && low < 16 {
				return false
			}
			for _, u := range used {
				if u.Overlaps(p) {
					return false
				}
			}
			return true
		}
		got, ok := Fit(r, bits, used, after)
		if ok && (got != got.Masked() || !free(got)) {
			t.Fatalf("gave %v, which is not free", got)
		}
		if !ok {
			for n := uint64(0); n < 64; n += 1 << (32 - bits) {
				if p := prefix(number(r.Prefix.Addr())+n, bits); free(p) {
					t.Fatalf("found nothing, but %v is free", p)
				}
			}
		}
	})
}

func TestAllocator(t *testing.T) {
	ctx := context.Background()
	s := store.NewMemory()
	defer s.Close()
	a := New(s, []Range{private})
	if err := s.Load(ctx); err != nil {
		t.Fatal(err)
	}
	first, err := a.Address(ctx, "private-a", "node/1")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := a.Address(ctx, "private-a", "node/1"); again != first {
		t.Fatalf("asked again: %v, then %v", first, again)
	}
	block, err := a.Block(ctx, "private-a", "node/1", 27)
	if err != nil || block.String() != "10.0.65.0/27" {
		t.Fatalf("block %v, %v", block, err)
	}
	for _, addr := range []netip.Addr{first, block.Addr().Next()} {
		if owner, ok := a.OwnerOf(addr); !ok || owner != "node/1" {
			t.Fatalf("owner of %s: %q", addr, owner)
		}
	}
	if owner, ok := a.OwnerOf(first.Next()); ok {
		t.Fatalf("%s belongs to %s", first.Next(), owner)
	}
	if n := len(a.Leases("node/1")); n != 2 {
		t.Fatalf("%d leases, want 2", n)
	}
	if err := a.Release(ctx, "node/1"); err != nil {
		t.Fatal(err)
	}
	if second, _ := a.Address(ctx, "private-a", "node/2"); second == first {
		t.Fatalf("%v was given again at once", first)
	}
	if _, err := a.Address(ctx, "nowhere", "node/2"); err == nil {
		t.Fatal("an unknown range gave an address")
	}
}

func TestConcurrentOwnersGetDifferentAddresses(t *testing.T) {
	ctx := context.Background()
	s := store.NewMemory()
	defer s.Close()
	a := New(s, []Range{private})
	if err := s.Load(ctx); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[netip.Addr]bool{}
	for i := range 20 {
		wg.Go(func() {
			addr, err := a.Address(ctx, "private-a", fmt.Sprint("node/", i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[addr] {
				t.Errorf("%v twice, or %v", addr, err)
			}
			seen[addr] = true
		})
	}
	wg.Wait()
}
