// Package doctor says what this machine lacks, and the line that mends it.
package doctor

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/preflight"
	"github.com/eksact/eksact/internal/hint"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine needs, and say how to mend it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks := daemon.Preflight(g.StateDir, g.RunDir)
			if g.JSON() {
				if err := global.Print(cmd.OutOrStdout(), report(checks)); err != nil {
					return err
				}
			} else {
				show(cmd.OutOrStdout(), checks)
			}
			if preflight.First(checks) != nil {
				return hint.New("this machine is not ready", "what is marked ✗ above says how to mend it")
			}
			return nil
		},
	}
}

func show(w io.Writer, checks []preflight.Check) {
	for _, c := range checks {
		if c.Err == nil {
			fmt.Fprintf(w, " ✓ %s\n", c.Name)
			continue
		}
		fmt.Fprintf(w, " ✗ %s: %v\n", c.Name, c.Err)
		if c.Mend != "" {
			fmt.Fprintf(w, "   mend: %s\n", c.Mend)
		}
	}
}

type line struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Mend  string `json:"mend,omitempty"`
}

func report(checks []preflight.Check) []line {
	all := make([]line, 0, len(checks))
	for _, c := range checks {
		l := line{Name: c.Name, OK: c.Err == nil}
		if c.Err != nil {
			l.Error, l.Mend = c.Err.Error(), c.Mend
		}
		all = append(all, l)
	}
	return all
}
