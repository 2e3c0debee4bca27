// Package controls lists the controls that eksact verify tries, in the order in
// which the workshop "Securing your EKS cluster" meets them.
package controls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/verify"
	"github.com/eksact/eksact/internal/verify/controls/irsa"
	"github.com/eksact/eksact/internal/verify/controls/loadbalancer"
	"github.com/eksact/eksact/internal/verify/controls/namespace"
	"github.com/eksact/eksact/internal/verify/controls/networkpolicy"
	"github.com/eksact/eksact/internal/verify/controls/noderole"
	"github.com/eksact/eksact/internal/verify/controls/podidentity"
	"github.com/eksact/eksact/internal/verify/controls/rolemapping"
	"github.com/eksact/eksact/internal/verify/controls/secret"
)

// All returns every control.
func All() []verify.Control {
	return []verify.Control{noderole.Control, rolemapping.Control, namespace.Control, loadbalancer.Control, secret.Control, irsa.Control, podidentity.Control, networkpolicy.Control}
}

// Named returns the controls of these ids, or all.
func Named(ids []string) ([]verify.Control, error) {
	all := All()
	if len(ids) == 0 {
		return all, nil
	}
	var chosen []verify.Control
	for _, id := range ids {
		i := slices.IndexFunc(all, func(c verify.Control) bool { return c.ID == id })
		if i < 0 {
			var known []string
			for _, c := range all {
				known = append(known, c.ID)
			}
			return nil, hint.New(fmt.Sprintf("there is no control %q", id), "the controls are "+strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
