// Package status shows what runs.
package status

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
)

// Question is what a caller of the daemon's /status asks.
type Question = daemon.StatusQuestion

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var q Question
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show clusters, nodes and programs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := daemon.Reach(g.RunDir); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
			defer cancel()
			var s control.Status
			if err := control.Dial(g.RunDir).Call(ctx, "/status", q, &s); err != nil {
				return err
			}
			slices.SortFunc(s.Processes, func(a, b control.Process) int { return cmp.Compare(a.Name, b.Name) })
			if g.JSON() {
				return global.Print(cmd.OutOrStdout(), s)
			}
			show(cmd.OutOrStdout(), s, q.Memory)
			return nil
		},
	}
	cmd.Flags().BoolVar(&q.Memory, "memory", false, "measure the memory of every program")
	return cmd
}

func show(w io.Writer, s control.Status, memory bool) {
	fmt.Fprintf(w, "eksact %s, Kubernetes %s, account %s in %s\n", s.Version, s.Kubernetes, s.Account, s.Region)
	fmt.Fprintf(w, "AWS API at %s, data in %s, daemon up %s\n", s.Endpoint, s.StateDir, age(s.Started))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, c := range s.Clusters {
		fmt.Fprintf(t, "\nCLUSTER\tSTATUS\tVERSION\tENDPOINT\n%s\t%s\t%s\t%s\n", c.Name, c.Status, c.Version, c.Endpoint)
		if len(c.Nodes) > 0 {
			fmt.Fprint(t, "\nNODE\tREADY\tINSTANCE\n")
		}
		for _, n := range c.Nodes {
			fmt.Fprintf(t, "%s\t%s\t%s\n", n.Name, yes(n.Ready), n.ID)
		}
	}
	fmt.Fprint(t, "\nPROGRAM\tPID\tUP\tRESTARTS")
	if memory {
		fmt.Fprint(t, "\tMEMORY")
	}
	fmt.Fprintln(t)
	var total int64
	for _, p := range s.Processes {
		fmt.Fprintf(t, "%s\t%d\t%s\t%d", p.Name, p.Pid, age(p.Started), p.Restarts)
		if memory {
			fmt.Fprintf(t, "\t%d MB", p.Memory/1e6)
			total += p.Memory
		}
		fmt.Fprintln(t)
	}
	if memory {
		fmt.Fprintf(t, "all (proportional)\t\t\t\t%d MB\n", total/1e6)
	}
	t.Flush()
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

func age(since time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return time.Since(since).Round(time.Second).String()
}
