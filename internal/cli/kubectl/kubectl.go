// Package kubectl runs the kubectl that eksact carries, against its clusters.
package kubectl

import (
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/access"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/programs"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl ARGS…",
		Short:              "Run the kubectl that eksact carries, as the admin",
		DisableFlagParsing: true, // they are kubectl's
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := programs.Locate(g.StateDir)
			if err != nil {
				return err
			}
			// Whatever the caller's own kubeconfig leads to, this is about clusters here.
			vars, err := access.Host(cmd.Context(), g.StateDir, g.RunDir, access.Admin)
			if err != nil {
				return err
			}
			if t, needed := asked(args); needed {
				if err := access.Answers(cmd.Context(), g.StateDir, g.RunDir, t.context, t.cluster); err != nil {
					return err
				}
			}
			os.Setenv("KUBECONFIG", vars["KUBECONFIG"])
			path := set.Path("kubectl")
			return syscall.Exec(path, append([]string{"kubectl"}, args...), os.Environ())
		},
	}
}
