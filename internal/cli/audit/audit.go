// Package audit looks for attacks and mistakes in the audit logs of clusters: in the log
// groups of the account that runs here, by its API, or in files, without it.
package audit

import (
	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Look for attacks and mistakes in audit logs",
	}
	cmd.AddCommand(findings(g), detections(g))
	return cmd
}
