// Package version says which eksact this is, and which Kubernetes it carries.
package version

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/version"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of eksact and of the Kubernetes in it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if g.JSON() {
				return global.Print(cmd.OutOrStdout(), map[string]string{"eksact": version.Version, "kubernetes": version.Kubernetes})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "eksact %s\nKubernetes %s\n", version.Version, version.Kubernetes)
			return err
		},
	}
}
