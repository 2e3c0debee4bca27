package template

import (
	"math/big"
	"net/netip"
	"strconv"
)

// cidr splits a block, IPv4 or IPv6, into count blocks, each with bits for hosts.
func (ev *evaluator) cidr(e *Expr) (any, error) {
	arg := &e.Items[0]
	var args [3]string
	for i := range arg.Items {
		text, known, err := ev.text(&arg.Items[i], e, "every Fn::Cidr object requires String or Number parameters.")
		if err != nil || !known {
			return Unknown{}, err
		}
		args[i] = text
	}
	block, err := netip.ParsePrefix(args[0])
	if err != nil {
		return nil, templateError(e.Pos, "Fn::Cidr: %s is not a valid CIDR block", args[0])
	}
	count, err := strconv.Atoi(args[1])
	if err != nil || count < 1 || count > 256 {
		return nil, templateError(e.Pos, "Fn::Cidr: the number of blocks must be between 1 and 256, not %s", args[1])
	}
	width := block.Addr().BitLen()
	bits, err := strconv.Atoi(args[2])
	if err != nil || bits < 1 || bits > width {
		return nil, templateError(e.Pos, "Fn::Cidr: the number of subnet bits must be between 1 and %d, not %q", width, args[2])
	}
	room := width - bits - block.Bits()
	if room < 0 || room < 8 && count > 1<<room {
		return nil, templateError(e.Pos, "Fn::Cidr: %d blocks of /%d do not fit into %s", count, width-bits, block)
	}
	at := new(big.Int).SetBytes(block.Masked().Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	list := []any{}
	for range count {
		addr, _ := netip.AddrFromSlice(at.FillBytes(make([]byte, width/8)))
		list = append(list, netip.PrefixFrom(addr, width-bits).String())
		at.Add(at, step)
	}
	return list, ev.count(list)
}
