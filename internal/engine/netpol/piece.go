package netpol

import "github.com/eksact/eksact/internal/engine/ruleset"

// piece is chains with the sets that they speak of.
type piece struct {
	chains map[string]ruleset.Chain
	sets   map[*set]struct{}
}

func newPiece() piece { return piece{map[string]ruleset.Chain{}, map[*set]struct{}{}} }

// sharedPiece is one that several profiles may have: what some rules do together with
// packets of one port.
type sharedPiece struct {
	piece
	key  pieceKey
	head string // id of the chain to go to
	uses int    // by profiles
}

type pieceKey struct {
	direction Direction
	verdict   ruleset.Verdict
	rules     sum
}

// usedChain is a chain of one piece or more.
type usedChain struct {
	ruleset.Chain
	uses int
}

// hold has the compiler keep a piece's chains and sets, or no longer.
func (c *Compiler) hold(p piece, by int) {
	for s := range p.sets {
		if s.uses += by; s.uses == 0 {
			c.unused[s] = struct{}{}
		}
	}
	for id, chain := range p.chains {
		if c.chains[id] == nil {
			c.chains[id] = &usedChain{Chain: chain}
		}
		if c.chains[id].uses += by; c.chains[id].uses == 0 {
			delete(c.chains, id)
		}
	}
}

// forgetProfiles ends those that no pod has.
func (c *Compiler) forgetProfiles() {
	for pr := range c.spare {
		if pr.uses > 0 {
			continue
		}
		delete(c.profiles, pr.key)
		c.hold(pr.piece, -1)
		for shared := range pr.pieces {
			if shared.uses--; shared.uses == 0 {
				delete(c.pieces, shared.key)
				c.hold(shared.piece, -1)
			}
		}
	}
	empty(&c.spare)
}
