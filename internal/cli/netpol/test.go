package netpol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/junit"
	"github.com/eksact/eksact/internal/engine/netpol/cases"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
	"github.com/eksact/eksact/internal/hint"
)

// tester runs cases and reports.
type tester struct {
	g         *global.Options
	live      Source
	files     []string
	keepGoing bool
	verbose   bool
	packets   bool
	junit     string
	warnings  []string
}

const testHelp = `Decide the flows of each file's cases by manifests, and compare with what is
expected. For instance:

  manifests: [k8s]
  namespace: shop
  cases:
  - name: the shop reaches its database
    from: deployment/web
    to: statefulset/db
    port: 5432
    expect: allowed
  - name: nobody else does
    from: [deployment/admin, other/pod/x, 198.51.100.7]
    to: statefulset/db
    port: [5432, metrics, 53/UDP]
    expect: denied

Neither a cluster nor root is needed. It ends with 0 when all cases hold, 1 at the
first that does not, 3 when a file has an error: then none is run.

A file is YAML or JSON. At its top:
  manifests  files and folders of manifests, from the file's own folder; -f adds more
  namespace  of ends that don't say theirs (default)
  podCIDR    where pods are that have no address (10.0.0.0/16)
  cases      the list of cases

A case:
  from, to   ends: [NAMESPACE/][KIND/]NAME of a pod or a workload, an address, and as
             to a service (svc/NAME); one or a list
  port       a number or a name of the destination's, with /UDP or /SCTP if it isn't
             TCP; one or a list
  expect     allowed or denied
  policy     the policy that decides: NAME, NAMESPACE/NAME, or as explain names it
  name       what the case is called
  known      why the case is known to fail; when it holds, that is a failure

Lists are tried each with each, a service with each of its pods, and every flow must
turn out as expected.

With --live it sends packets in the cluster that runs, after what the API server has
acknowledged is enforced, and compares what becomes of them; the files' manifests are
not read. Each flow starts in the network of its pod: a TCP connection is let through
when it is accepted or its end refuses it, a datagram when it is seen at its end. It
counts as denied when nothing comes in 1.5 seconds, and the same comes through from
the node, where no policy applies. Where packets fare otherwise than policies say, it
shows that.`

func newTest(g *global.Options, live Source) *cobra.Command {
	t := &tester{g: g, live: live}
	cmd := &cobra.Command{
		Use:   "test FILE…",
		Short: "Run files of cases: who may reach whom, by which policies",
		Long:  testHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			return t.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), files)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&t.files, "filename", "f", nil, `file or folder of manifests, beside those that the files of cases name; "-" for standard input`)
	f.BoolVar(&t.keepGoing, "keep-going", false, "run all cases, also after one that fails")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "name the cases that hold, too")
	f.BoolVar(&t.packets, "live", false, "try the flows by packets, in the cluster that runs")
	f.StringVar(&t.junit, "junit", "", `write the results as JUnit XML to this file ("-": to standard output)`)
	return cmd
}

const caseForm = "eksact netpol test --help shows the form of a file of cases"

// loaded is a file, its cases' results as far as they were run.
type loaded struct {
	*cases.File
	results []*cases.Result
}

func (t *tester) run(ctx context.Context, in io.Reader, out, notes io.Writer, paths []string) error {
	if t.g.JSON() && t.junit == "-" {
		return hint.New("-o json and --junit - both write to standard output", "name a file with --junit, or leave out one of them")
	}
	if err := t.startLive(ctx); err != nil {
		return err
	}
	files, err := t.load(ctx, in, paths)
	var fault *broken
	if errors.As(err, &fault) {
		return errors.Join(fault.error, t.reportBroken(out, fault))
	} else if err != nil {
		return err
	}
	for _, w := range t.warnings {
		fmt.Fprintf(notes, "warning: %s\n", global.Printable(w))
	}
	shown := out
	if t.g.JSON() || t.junit == "-" {
		shown = io.Discard
	}
	failed := t.judge(shown, files)
	if err := t.report(out, files, failed); err != nil {
		return err
	}
	if failed > 0 {
		return global.Exit(1)
	}
	return nil
}

// broken is a file that can't be run, and why.
type broken struct {
	path string
	error
}

func (b *broken) Unwrap() error { return b.error }

// load reads the files and decides all their cases: those that ask of what isn't there
// are errors, and then none counts.
func (t *tester) load(ctx context.Context, in io.Reader, paths []string) (files []*loaded, err error) {
	var given []byte
	for _, path := range paths {
		f, set, err := t.read(ctx, path, in, &given)
		if err != nil {
			return nil, &broken{path, err}
		}
		results, err := t.results(ctx, f, set)
		if err != nil {
			return nil, &broken{path, err}
		}
		files = append(files, &loaded{f, results})
	}
	return files, nil
}

// results are of a file's cases, by what policies say or by packets.
func (t *tester) results(ctx context.Context, f *cases.File, set *manifest.Set) (all []*cases.Result, err error) {
	if t.packets {
		return t.tried(ctx, f, set)
	}
	for _, c := range f.Cases {
		r, err := c.Run(set)
		if err != nil {
			return nil, hint.Wrap(err, caseForm)
		}
		all = append(all, r)
	}
	return all, nil
}

// read reads a file of cases and its manifests. Standard input is read once.
func (t *tester) read(ctx context.Context, path string, in io.Reader, given *[]byte) (*cases.File, *manifest.Set, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, global.Unreadable(path, err)
	}
	f, err := cases.Parse(path, strings.TrimPrefix(string(text), "\ufeff"))
	if err != nil {
		return nil, nil, hint.Wrap(err, caseForm)
	}
	set, err := t.set(ctx, f, in, given)
	if err != nil {
		return nil, nil, err
	}
	t.warnings = append(t.warnings, set.Notes...)
	return f, set, nil
}

// set is what a file's cases are about.
func (t *tester) set(ctx context.Context, f *cases.File, in io.Reader, given *[]byte) (*manifest.Set, error) {
	if t.packets {
		return t.live(ctx, t.g)
	}
	var paths []string
	for _, m := range f.Manifests {
		if !filepath.IsAbs(m) {
			m = filepath.Join(filepath.Dir(f.Path), m)
		}
		paths = append(paths, m)
	}
	paths = append(paths, t.files...)
	if len(paths) == 0 {
		if t.live == nil {
			return nil, hint.New(f.Path+" names no manifests", "list them under manifests, or name them with -f")
		}
		return t.live(ctx, t.g)
	}
	set := &manifest.Set{PodCIDR: f.PodCIDR}
	if !set.PodCIDR.IsValid() {
		set.PodCIDR = netip.MustParsePrefix(podCIDR)
	}
	if *given == nil && slices.Contains(t.files, "-") {
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		*given = text
	}
	return set, load(set, paths, bytes.NewReader(*given))
}

// judge shows the results, up to the first failure unless all are wanted.
func (t *tester) judge(out io.Writer, files []*loaded) (failed int) {
	held, known, left := 0, 0, 0
	for _, f := range files {
		before := failed
		for i, r := range f.results {
			if failed > 0 && !t.keepGoing {
				left += len(f.results) - i
				f.results = f.results[:i]
				break
			}
			for _, line := range r.Differs {
				fmt.Fprintf(out, "differ %s:%d: %s\n", f.Path, r.Case.Line, global.Printable(line))
			}
			switch {
			case !r.Holds():
				failed++
				showFailure(out, r)
			case r.Case.Known != "":
				known++
				fmt.Fprintf(out, "known %s:%d: %s: %s\n", f.Path, r.Case.Line, r.Case.Name, r.Case.Known)
			default:
				held++
				if t.verbose {
					fmt.Fprintf(out, "ok    %s:%d: %s\n", f.Path, r.Case.Line, r.Case.Name)
				}
			}
		}
		if failed == before && len(f.results) > 0 {
			fmt.Fprintf(out, "ok    %s: %d cases, %d flows\n", f.Path, len(f.results), f.flows())
		}
	}
	fmt.Fprintf(out, "%d held, %d failed", held, failed)
	if known > 0 {
		fmt.Fprintf(out, ", %d known to fail", known)
	}
	if left > 0 {
		fmt.Fprintf(out, ", %d not run (--keep-going runs them)", left)
	}
	fmt.Fprintln(out)
	return failed
}

func (l *loaded) flows() (n int) {
	for _, r := range l.results {
		n += r.Flows
	}
	return n
}

// showFailure explains the flows that are not as expected, the first of them.
func showFailure(w io.Writer, r *cases.Result) {
	fmt.Fprintf(w, "FAIL  %s:%d: %s\n", r.Case.File, r.Case.Line, r.Case.Name)
	if len(r.Problems) == 0 {
		fmt.Fprintf(w, "      it holds, though known to fail: remove its known\n")
		return
	}
	for i, problem := range r.Problems {
		if i == 10 {
			fmt.Fprintf(w, "      and %d flows more\n", len(r.Problems)-i)
			break
		}
		fmt.Fprintf(w, "      %s\n", global.Printable(problem))
		show(w, "        ", r.Wrong[i])
	}
}

// reportBroken reports a file with an error as JUnit does, so that no older report is
// taken for this run's.
func (t *tester) reportBroken(out io.Writer, b *broken) error {
	if t.junit == "" {
		return nil
	}
	return global.Unreadable(t.junit, junit.Broken(b.path, b.error, strings.Join(hint.Lines(b.error), "\n")).Write(out, t.junit))
}
