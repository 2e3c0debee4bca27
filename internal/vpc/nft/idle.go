package nft

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// idleTable holds how long listeners' connections may be silent. It is never replaced,
// only its rules are: the kernel takes the timeout back from all connections that have
// it by an object that is deleted.
const idleTable = "eksact-idle"

// objectCtTimeout is the kernel's number of that kind of object.
const objectCtTimeout = unix.NFT_OBJECT_CT_TIMEOUT

func idleName(seconds uint32) string { return fmt.Sprint("idle-", seconds) }

func idleObject(t *nftables.Table, seconds uint32) *nftables.NamedObj {
	return &nftables.NamedObj{Table: t, Name: idleName(seconds), Type: nftables.ObjTypeCtTimeout, Obj: &expr.CtTimeout{
		L3Proto: unix.NFPROTO_IPV4, L4Proto: unix.IPPROTO_TCP,
		Policy: expr.CtStatePolicyTimeout{expr.CtStateTCPESTABLISHED: seconds},
	}}
}

// applyIdle gives new TCP connections their listener's timeout. Those that are known
// keep what they have.
func (r *Router) applyIdle(all []Listener) error {
	by := map[time.Duration][]nftables.SetElement{}
	for _, l := range all {
		if l.Proto == TCP && l.Idle > 0 {
			by[l.Idle] = append(by[l.Idle], nftables.SetElement{Key: serviceBytes(l.Addr, l.Proto, l.Port)})
		}
	}
	return r.amend(idleTable, func(b *batch) {
		pre := b.hook("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityMangle)
		b.conn.FlushChain(pre)
		for _, idle := range slices.Sorted(maps.Keys(by)) {
			seconds := uint32(max(idle, time.Second) / time.Second)
			b.conn.AddObj(idleObject(b.table, seconds))
			services := b.set(&nftables.Set{Anonymous: true, Constant: true, KeyType: serviceKey}, by[idle])
			b.rule(pre, loadService(), []expr.Any{
				&expr.Lookup{SourceRegister: reg0, SetID: services.ID, SetName: services.Name},
				&expr.Objref{Type: objectCtTimeout, Name: idleName(seconds)},
			})
		}
	})
}
