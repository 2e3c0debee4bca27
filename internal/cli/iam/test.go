package iam

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/policy/cases"
	"github.com/eksact/eksact/internal/hint"
)

// tester runs cases and reports.
type tester struct {
	g         *global.Options
	keepGoing bool
	verbose   bool
	junit     string
	warnings  []string
}

func newTest(g *global.Options) *cobra.Command {
	t := &tester{g: g}
	cmd := &cobra.Command{
		Use:   "test FILE…",
		Short: "Run files of cases: who may do what, by which policies",
		Long:  testHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			return t.run(cmd.OutOrStdout(), cmd.ErrOrStderr(), files)
		},
	}
	cmd.Flags().BoolVar(&t.keepGoing, "keep-going", false, "run all cases, also after one that fails")
	cmd.Flags().BoolVarP(&t.verbose, "verbose", "v", false, "name the cases that hold, too")
	cmd.Flags().StringVar(&t.junit, "junit", "", `write the results as JUnit XML to this file ("-": to standard output)`)
	return cmd
}

// loaded is a file and its cases; results are of those that were run.
type loaded struct {
	path    string
	cases   []*cases.Case
	results []*cases.Result
}

func (t *tester) run(out, notes io.Writer, paths []string) error {
	if t.g.JSON() && t.junit == "-" {
		return hint.New("-o json and --junit - both write to standard output", "name a file with --junit, or leave out one of them")
	}
	var files []*loaded
	for _, path := range paths {
		list, err := loadCases(path)
		if err != nil {
			return errors.Join(err, t.reportBroken(out, path, err))
		}
		files = append(files, &loaded{path: path, cases: list})
	}
	t.warnings = uncheckable(files)
	warn(notes, t.warnings)
	shown := out
	if t.g.JSON() || t.junit == "-" {
		shown = io.Discard
	}
	failed := t.decide(shown, files)
	if err := t.report(out, files, failed); err != nil {
		return err
	}
	if failed > 0 {
		return global.Exit(1)
	}
	return nil
}

// decide runs the cases and shows them as it goes.
func (t *tester) decide(out io.Writer, files []*loaded) (failed int) {
	held, known := 0, 0
	for _, f := range files {
		before := failed
		for _, c := range f.cases {
			if failed > 0 && !t.keepGoing {
				break
			}
			r := c.Run()
			f.results = append(f.results, r)
			switch {
			case !r.Holds():
				failed++
				showFailure(out, r)
			case c.Known != "":
				known++
				fmt.Fprintf(out, "known %s:%d: %s: %s\n", c.File, c.Line, c.Name, c.Known)
			default:
				held++
				if t.verbose {
					fmt.Fprintf(out, "ok    %s:%d: %s\n", c.File, c.Line, c.Name)
				}
			}
		}
		if failed == before && len(f.results) > 0 {
			fmt.Fprintf(out, "ok    %s: %s\n", f.path, counted(len(f.cases)))
		}
	}
	fmt.Fprintf(out, "%d held, %d failed%s\n", held, failed, t.rest(files, known))
	return failed
}

// rest says what became of the cases that neither held nor failed.
func (t *tester) rest(files []*loaded, known int) string {
	text, left := "", 0
	for _, f := range files {
		left += len(f.cases) - len(f.results)
	}
	if known > 0 {
		text += fmt.Sprintf(", %d known to fail", known)
	}
	if left > 0 {
		text += fmt.Sprintf(", %d not run (--keep-going runs them)", left)
	}
	return text
}

func counted(n int) string {
	if n == 1 {
		return "1 case"
	}
	return fmt.Sprintf("%d cases", n)
}

// loadCases reads a file; policies that it names are found from its folder.
func loadCases(path string) ([]*cases.Case, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	list, err := cases.Parse(path, text, func(name string) ([]byte, error) {
		if document, ok := iam.AWSPolicy(name); ok {
			return []byte(document), nil
		}
		if !filepath.IsAbs(name) && !strings.HasPrefix(name, "arn:") {
			name = filepath.Join(filepath.Dir(path), name)
		}
		text, err := readFile(name)
		return []byte(text), bare(err)
	})
	if err != nil {
		return nil, hint.Wrap(err, "eksact iam test --help shows the form of a file of cases")
	}
	return list, nil
}

// largest file that is read: beyond it something else than policies was named.
const largest = 64 << 20

// readFile reads a file of cases or policies.
func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil && strings.HasPrefix(path, "arn:") && strings.Contains(path, ":iam::aws:policy/"):
		err := fmt.Errorf("not among the AWS managed policies that eksact carries%s", cases.Near(path, iam.AWSPolicyARNs()))
		return "", hint.Wrap(fmt.Errorf("%s: %w", path, err), "write its document to a file, and name that")
	case err != nil:
		return "", global.Unreadable(path, err)
	case info.IsDir():
		return "", hint.New(path+" is a directory", "name the files in it, as in "+filepath.Join(path, "*.yaml"))
	case info.Size() > largest:
		return "", hint.New(fmt.Sprintf("%s has %d bytes, more than files of policies have", path, info.Size()), "name another file")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", global.Unreadable(path, err)
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// bare is an error of reading without the path, which whoever reports it says.
func bare(err error) error {
	if e := errors.Unwrap(err); e != nil {
		if inner := errors.Unwrap(e); inner != nil {
			return inner
		}
		return e
	}
	return err
}
