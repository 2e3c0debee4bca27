package ipam

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Range is a pool of addresses.
type Range struct {
	Name   string       // unique; e.g. the subnet's id
	Prefix netip.Prefix // IPv4
	// First and Last addresses of the prefix that are never given: AWS keeps the
	// first four (network, router, DNS, reserved) and the last of each subnet.
	First, Last int
	// BlocksFrom is the offset at which blocks begin; single addresses are taken
	// from below it first.
	BlocksFrom int
}

// Fit finds a free, aligned prefix of the given length in r: the first after
// the given address, else the first of all. Used prefixes may be of any length.
// The zero Addr for after means the beginning. Pure.
func Fit(r Range, bits int, used []netip.Prefix, after netip.Addr) (netip.Prefix, bool) {
	size := uint64(1) << (32 - bits)
	base := number(r.Prefix.Masked().Addr())
	end := base + uint64(1)<<(32-r.Prefix.Bits()) - uint64(r.Last)
	lo := base + uint64(r.First)
	if bits < 32 {
		lo = max(lo, base+uint64(r.BlocksFrom))
	}
	lo = (lo + size - 1) / size * size
	taken := spans(used)
	start := lo
	if after.IsValid() {
		start = max(lo, (number(after)/size+1)*size)
	}
	if at, ok := scan(start, end, size, taken); ok {
		return prefix(at, bits), true
	}
	if at, ok := scan(lo, end, size, taken); ok {
		return prefix(at, bits), true
	}
	return netip.Prefix{}, false
}

type interval struct{ from, to uint64 } // to is exclusive

func spans(used []netip.Prefix) []interval {
	out := make([]interval, 0, len(used))
	for _, p := range used {
		from := number(p.Masked().Addr())
		out = append(out, interval{from, from + uint64(1)<<(32-p.Bits())})
	}
	slices.SortFunc(out, func(a, b interval) int { return int(int64(a.from) - int64(b.from)) })
	return out
}

// scan finds the first aligned, free place of the given size in [from, end).
func scan(from, end, size uint64, taken []interval) (uint64, bool) {
	at := from
	for _, t := range taken {
		if t.to <= at {
			continue
		}
		if t.from >= at+size {
			break
		}
		at = (t.to + size - 1) / size * size
	}
	return at, at+size <= end
}

func number(a netip.Addr) uint64 { return uint64(binary.BigEndian.Uint32(a.AsSlice())) }

func prefix(at uint64, bits int) netip.Prefix {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(at))
	return netip.PrefixFrom(netip.AddrFrom4(b), bits)
}
