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
	var a asked
	cmd := &cobra.Command{
		Use:   "detections",
		Short: "Show what is looked for, with queries and filter patterns (-o json)",
		Long: "Show what is looked for. With -o json each detection has its query, the rule that decides\n" +
			"besides on what it gives, if there is one, and its filter patterns, of which one at least\n" +
			"meets what is found. Two need networks: without --allowed and --inside they are left out.",
		Example: "  eksact audit detections -o json --inside 10.0.0.0/16 --allowed 203.0.113.0/24",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.params()
			if err != nil {
				return err
			}
			if g.JSON() {
				all, err := described(p)
				if err != nil {
					return err
				}
				return global.Print(cmd.OutOrStdout(), all)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "DETECTION\tSEVERITY\tATT&CK\tTITLE")
			for _, d := range detect.All() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.ID, d.Severity, d.Technique.ID, d.Title)
			}
			return w.Flush()
		},
	}
	a.addNetworks(cmd.Flags(), "", "")
	return cmd
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
	Query     string   `json:"query,omitempty"`
	Needs     []string `json:"needs,omitempty"` // flags, for the query
	Rule      string   `json:"rule,omitempty"`  // that decides on the query's events
	Patterns  []string `json:"filterPatterns,omitempty"`
}

func described(p detect.Params) ([]detection, error) {
	var out []detection
	for _, d := range detect.All() {
		var flags []string
		for _, name := range d.Needs(p) {
			flags = append(flags, "--"+name)
		}
		patterns, err := d.Patterns(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.ID, err)
		}
		out = append(out, detection{d.ID, d.Title, d.Severity.String(), d.Technique.ID, d.Technique.Name, d.Technique.Tactic, d.Why, d.Do, d.Sources, d.Evidence(p), flags, d.Rule, patterns})
	}
	return out, nil
}
