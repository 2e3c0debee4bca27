// Package down stops everything and leaves nothing behind but the data.
package down

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/ui"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/preflight"
	"github.com/eksact/eksact/internal/hint"
)

// summary is what down ends with.
type summary struct {
	StateDir string `json:"stateDir"`
	Purged   bool   `json:"purged"`
}

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var purge, keep bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop everything and remove what it made on this machine; data stays",
		Long: `Stop everything: programs, nodes and their pods. Namespaces, links, packet
rules, mounts, control groups and the block in the hosts file are removed.

The data stays in the state directory, and eksact up resumes with all of it.
With --purge the data goes too.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if purge && keep {
				return hint.New("--purge and --keep exclude each other", "data is kept unless --purge is given")
			}
			if err := preflight.First([]preflight.Check{preflight.Root()}); err != nil {
				return err
			}
			c, err := daemon.LoadConfig(g.StateDir, g.RunDir)
			if err != nil && !purge {
				return err
			}
			if err := c.Ours(); err != nil {
				return err
			}
			release, err := daemon.Exclusive(g.RunDir)
			if err != nil {
				return err
			}
			defer release()
			progress := ui.New(os.Stderr)
			defer progress.Close()
			if err := daemon.TearDown(cmd.Context(), c, purge, progress.Do); err != nil {
				return err
			}
			if g.JSON() {
				return global.Print(cmd.OutOrStdout(), summary{g.StateDir, purge})
			}
			if !purge {
				fmt.Fprintf(os.Stderr, "The data is kept in %s; eksact up resumes with it.\n", g.StateDir)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "delete all data too")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the data, as is the default")
	return cmd
}
