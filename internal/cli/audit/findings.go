package audit

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/eksact/eksact/internal/cli/account"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/detect"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/version"
)

// asker runs a query, and gives its rows as fields by name.
type asker interface {
	ask(ctx context.Context, query string, from, to time.Time) ([]map[string]string, error)
}

// asked is what the command was told.
type asked struct {
	cluster, since, until string
	severity              string
	only                  []string
	allowed, inside       []string
	files                 []string
}

func findings(g *global.Options) *cobra.Command {
	var a asked
	cmd := &cobra.Command{
		Use:   "findings",
		Short: "Show what the detections find, the worst first",
		Long: "Show what the detections find in a cluster's audit log, the worst first: who did what\n" +
			"to what, why it matters, what to do, and the query that shows the events.\n\n" +
			"It reads the log group of a cluster that runs here or, with --file, files of audit\n" +
			"events, one JSON object a line, without anything that runs. With -o ocsf findings are\n" +
			"OCSF's (class 2004, Detection Finding), one a line.",
		Example:     "  eksact audit findings --since 24h\n  eksact audit findings --file audit.log --allowed 203.0.113.0/24\n  eksact audit findings --severity high -o ocsf",
		Args:        cobra.NoArgs,
		Annotations: map[string]string{global.Forms: "ocsf"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			list, err := a.choose()
			if err != nil {
				return err
			}
			from, to, err := a.span(now)
			if err != nil {
				return err
			}
			p, err := a.params()
			if err != nil {
				return err
			}
			about := detect.About{Group: "/aws/eks/" + a.cluster + "/cluster", Version: version.Version, Now: now}
			var ask asker
			whose := ""
			if len(a.files) > 0 {
				about.Group = strings.Join(a.files, ", ")
				if ask, err = readFiles(a.files, cmd.ErrOrStderr()); err != nil {
					return err
				}
			} else {
				config, c, err := account.Admin(cmd.Context(), g)
				if err != nil {
					return err
				}
				about.Account, about.Region = c.Account, c.Region
				if len(p.Inside) == 0 {
					p.Inside = []netip.Prefix{c.VPC}
				}
				if len(p.Allowed) == 0 { // as eksact alerts enable has it
					p.Allowed = []netip.Prefix{c.VPC, c.Public}
				}
				whose = ", which is kept in " + c.StateDir
				ask = live(config, about.Group)
			}
			r, err := find(cmd.Context(), ask, list, p, from, to)
			if err != nil {
				return err
			}
			r.log = about.Group + whose
			switch g.Output {
			case "ocsf":
				return r.ocsf(cmd.OutOrStdout(), about)
			case "json":
				return global.Print(cmd.OutOrStdout(), r.view())
			}
			return r.show(cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&a.cluster, "cluster", "cluster", "the cluster whose log group is read")
	flags.StringArrayVar(&a.files, "file", nil, "a file of audit events instead; repeatable")
	flags.StringVar(&a.since, "since", "", "events since then: a duration such as 90m, or a time such as 2026-11-26T12:00:00Z (default 24h; of files all)")
	flags.StringVar(&a.until, "until", "", "events until then")
	flags.StringVar(&a.severity, "severity", "", "findings of this severity or worse: low, medium, high, critical")
	flags.StringSliceVar(&a.only, "detection", nil, "only these detections")
	a.addNetworks(flags, " (default the VPC and what stands for the Internet here; of files none)", " (default the VPC's)")
	return cmd
}

// addNetworks registers the flags of networks, with what is said of their defaults.
func (a *asked) addNetworks(flags *pflag.FlagSet, allowed, inside string) {
	flags.StringSliceVar(&a.allowed, "allowed", nil, "networks that people work from: 203.0.113.0/24"+allowed)
	flags.StringSliceVar(&a.inside, "inside", nil, "networks that pods and nodes are in: 10.0.0.0/16"+inside)
}

// choose are the detections asked for.
func (a *asked) choose() ([]detect.Detection, error) {
	least := detect.Informational
	if a.severity != "" {
		i := slices.IndexFunc([]detect.Severity{detect.Informational, detect.Low, detect.Medium, detect.High, detect.Critical}, func(s detect.Severity) bool { return strings.EqualFold(s.String(), a.severity) })
		if i < 0 {
			return nil, hint.New(fmt.Sprintf("--severity %q is not known", a.severity), "say low, medium, high or critical")
		}
		least = detect.Severity(i + 1)
	}
	for _, id := range a.only {
		if _, ok := detect.Find(id); !ok {
			return nil, hint.New(fmt.Sprintf("there is no detection %q", id), "eksact audit detections shows those there are")
		}
	}
	var out []detect.Detection
	for _, d := range detect.All() {
		if d.Severity >= least && (len(a.only) == 0 || slices.Contains(a.only, d.ID)) {
			out = append(out, d)
		}
	}
	return out, nil
}

func (a *asked) params() (p detect.Params, err error) {
	if p.Allowed, err = global.Networks("--allowed", a.allowed); err != nil {
		return p, err
	}
	p.Inside, err = global.Networks("--inside", a.inside)
	return p, err
}

// span is the time that is looked at: of files all, unless it is said.
func (a *asked) span(now time.Time) (from, to time.Time, err error) {
	if to = now; a.until != "" {
		if to, err = global.When("--until", a.until, now); err != nil {
			return from, to, err
		}
	}
	switch {
	case a.since != "":
		if from, err = global.Since(a.since, now); err != nil {
			return from, to, err
		}
	case len(a.files) > 0:
		from = time.Unix(0, 0)
		if a.until == "" {
			to = now.AddDate(100, 0, 0)
		}
	default:
		from = to.Add(-24 * time.Hour)
	}
	if !from.Before(to) {
		return from, to, hint.New("the time to look at ends before it begins", "make --since earlier than --until")
	}
	return from, to, nil
}

// result is what was found, and which detections could not look.
type result struct {
	log      string // that was looked at
	findings []detect.Finding
	left     []detect.Detection
	looked   int
}

// atOnce is how many queries are asked at a time.
const atOnce = 4

// find runs detections.
func find(ctx context.Context, a asker, list []detect.Detection, p detect.Params, from, to time.Time) (*result, error) {
	r := &result{}
	found := make([][]detect.Finding, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, d := range list {
		if !d.Applies(p) {
			r.left = append(r.left, d)
			continue
		}
		r.looked++
		g.Go(func() error {
			rows, err := meant(ctx, a, &d, p, from, to)
			if err != nil {
				return fmt.Errorf("looking for %s: %w", d.ID, err)
			}
			found[i] = d.Findings(p, rows)
			return nil
		})
	}
	err := g.Wait()
	r.findings = slices.Concat(found...)
	detect.Sort(r.findings)
	return r, err
}

// meant are the rows of a detection's query that it means. If its rule decides on events,
// there may be more of them than a query gives: those before them are asked for next.
func meant(ctx context.Context, a asker, d *detect.Detection, p detect.Params, from, to time.Time) (out []map[string]string, err error) {
	for {
		rows, err := a.ask(ctx, d.Query(p), from, to)
		if err != nil {
			return nil, err
		}
		out = append(out, d.Meant(rows)...)
		if d.Rule == "" || len(rows) < detect.MostRows {
			return out, nil
		}
		before, err := time.Parse("2006-01-02 15:04:05.000", rows[len(rows)-1]["@timestamp"])
		if err != nil {
			return nil, err
		}
		// Times are asked for in whole seconds: the events of the last one come once more.
		if before = before.Truncate(time.Second); !before.Before(to.Truncate(time.Second)) {
			return nil, fmt.Errorf("more than %d events of %s may be findings", detect.MostRows, before.Format(time.DateTime))
		}
		to = before.Add(time.Second - time.Millisecond)
	}
}

// byDetection groups findings, in their order.
func (r *result) byDetection() [][]detect.Finding {
	var out [][]detect.Finding
	at := map[string]int{}
	for _, f := range r.findings {
		i, ok := at[f.Detection.ID]
		if !ok {
			i = len(out)
			at[f.Detection.ID] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], f)
	}
	return out
}
