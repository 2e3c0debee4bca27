// Package netpol tells what network policies let through, and why.
//
//   - explain names the rule that decides a flow, of manifests without a cluster, or of
//     the cluster that runs.
//   - test runs files of cases, which say what is to pass and what not, by what policies
//     say or by packets; their form is described at internal/engine/netpol/cases.
package netpol

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
)

// Source reads what policies see of a cluster that runs.
type Source func(context.Context, *global.Options) (*manifest.Set, error)

// New makes the command and its verbs. Where live is nil, they know manifests alone.
func New(g *global.Options, live Source) *cobra.Command {
	cmd := &cobra.Command{Use: "netpol", Short: "Test network policies, and explain what they decide"}
	cmd.AddCommand(newExplain(g, live), newTest(g, live), newWait(g))
	return cmd
}
