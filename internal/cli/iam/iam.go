// Package iam asks what IAM's policies decide, and why: mostly of files, without a
// daemon or any rights on the machine.
//
//   - test runs files of cases, which say what is to be allowed and refused; their
//     format is described at internal/engine/policy/cases.
//   - explain tells about a call not yet made what each layer of policies says;
//     and, asking the daemon, about a call that was refused.
package iam

import (
	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
)

// New makes the command and its verbs.
func New(g *global.Options) *cobra.Command {
	cmd := &cobra.Command{Use: "iam", Short: "Test IAM policies, and explain what they decide"}
	cmd.AddCommand(newTest(g), newExplain(g))
	return cmd
}
