package audit

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/detect"
)

// detections shows the table.
func detections(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "detections",
		Short: "Show what is looked for, with queries and filter patterns (-o json)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if g.JSON() {
				return global.Print(cmd.OutOrStdout(), described())
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "DETECTION\tSEVERITY\tATT&CK\tTITLE")
			for _, d := range detect.All() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.ID, d.Severity, d.Technique.ID, d.Title)
			}
			return w.Flush()
		},
	}
}

type detection struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Severity  string   `json:"severity"`
	Technique string   `json:"technique"`
	Name      string   `json:"techniqueName"`
	Tactic    string   `json:"tactic"`
	Why       string   `json:"why"`
	Do        string   `json:"do"`
	Sources   []string `json:"sources"`
	Query     string   `json:"query"`
	Pattern   string   `json:"filterPattern,omitempty"`
}

func described() []detection {
	var out []detection
	for _, d := range detect.All() {
		out = append(out, detection{d.ID, d.Title, d.Severity.String(), d.Technique.ID, d.Technique.Name, d.Technique.Tactic, d.Why, d.Do, d.Sources, d.Evidence(detect.Params{}), d.Pattern})
	}
	return out
}
