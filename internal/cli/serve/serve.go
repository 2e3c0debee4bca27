// Package serve is the daemon's own command, which the keeper runs.
package serve

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use:    "serve",
		Short:  "Run the daemon (eksact up starts it)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
			c, err := daemon.LoadConfig(g.StateDir, g.RunDir)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return daemon.Serve(ctx, c)
		},
	}
}
