package netpol

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// receipt is a policy's state and where it is enforced since when.
type receipt struct {
	version    netpol.Version
	generation uint64
	known      time.Time // here
	enforced   map[string]time.Time
}

// Receipt says that a policy's generation is enforced on a node.
type Receipt struct {
	Policy     netpol.PolicyName `json:"policy"`
	Generation int64             `json:"generation"`
	Node       string            `json:"node"`
	Enforced   time.Time         `json:"enforced"`
	// Took is the time since the policy was known here.
	Took time.Duration `json:"took"`
}

// ErrOff is why nothing is enforced.
var ErrOff = errors.New("network policies are not enforced: the add-on vpc-cni has enableNetworkPolicy off")

// Wait returns when these versions of policies, or newer ones, are enforced on every
// node, with a receipt for each of them on each node. A policy that is deleted
// meanwhile has no receipt.
func (c *Controller) Wait(ctx context.Context, policies map[netpol.PolicyName]netpol.Version) ([]Receipt, error) {
	seen := map[netpol.PolicyName]bool{}
	return c.collect(ctx, func() (out []Receipt, missing string) {
		for name, version := range policies {
			r := c.policies[name]
			if r == nil && seen[name] {
				continue // it was deleted
			}
			if r == nil || r.version.UID == version.UID && r.version.Generation < version.Generation {
				return nil, fmt.Sprintf("generation %d of %s is not known yet", version.Generation, name)
			}
			seen[name] = true
			if n, behind := c.behind(r.generation); behind {
				return nil, n.why(name.String())
			}
			out = append(out, c.receipts(name, r)...)
		}
		return out, ""
	})
}

// collect asks for receipts, with c.mu held, until nothing is missing.
func (c *Controller) collect(ctx context.Context, ask func() (out []Receipt, missing string)) (out []Receipt, err error) {
	var missing string
	off := false
	err = c.until(ctx, func() bool {
		if off = !c.on; off {
			return true
		}
		out, missing = ask()
		return missing == ""
	})
	if off {
		return nil, ErrOff
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", missing, err)
	}
	sortReceipts(out)
	return out, nil
}

func sortReceipts(all []Receipt) {
	slices.SortFunc(all, func(a, b Receipt) int {
		if d := strings.Compare(a.Policy.String(), b.Policy.String()); d != 0 {
			return d
		}
		return strings.Compare(a.Node, b.Node)
	})
}

// why says what a node has not enforced, and for which failure.
func (n *node) why(what string) string {
	text := fmt.Sprintf("%s is not enforced on node %s", what, n.name)
	if n.failed != nil {
		text += ": " + n.failed.Error()
	}
	return text
}

// receipts are a policy's, which every node enforces. c.mu is held.
func (c *Controller) receipts(name netpol.PolicyName, r *receipt) (out []Receipt) {
	for _, n := range c.nodes {
		at, noted := r.enforced[n.name]
		if !noted {
			at = n.loaded // the node came later, and never was without the policy
		}
		out = append(out, Receipt{Policy: name, Generation: r.version.Generation, Node: n.name, Enforced: at, Took: max(0, at.Sub(r.known))})
	}
	return out
}
