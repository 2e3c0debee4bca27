package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// suite is a lab of two nodes with the programs and images of the suites.
type suite struct {
	*lab.Lab
	host  lab.Terminal
	dir   string // of the programs
	wait  string // returns once what was written is enforced
	whole bool
}

func TestNetworkPolicy(t *testing.T) {
	lab.Need(t)
	s := &suite{dir: filepath.Join(lab.Programs(t), "conformance"), whole: os.Getenv("EKSACT_CONFORMANCE") == "whole"}
	for _, program := range []string{"agnhost", "worker", "probe", "cyclonus", "e2e", "leak"} {
		if _, err := os.Stat(filepath.Join(s.dir, program)); err != nil {
			t.Fatalf("%v: make conformance-programs builds it", err)
		}
	}
	s.Lab = lab.New(t)
	s.Images(t, "test/conformance/agnhost.yaml", "test/conformance/cyclonus-worker.yaml")
	s.Up(t, "--nodes", "2")
	s.host = s.Host(t)
	s.wait = strings.Join(s.Command("netpol", "wait").Args, " ")

	lab.Together(t, // in namespaces of their own
		lab.Part{Name: "cyclonus", Test: s.cyclonus},
		lab.Part{Name: "upstream's own tests", Test: s.upstream},
	)
	t.Run("no packet passes while pods start", s.leak)
}

// runs runs a suite's program, which must succeed, and keeps what it printed
// beside the programs as NAME.md.
func (s *suite) runs(t *testing.T, name, line string) string {
	t.Helper()
	path := filepath.Join(s.dir, name+".md")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var printed strings.Builder
	cmd := s.host.Command(line)
	cmd.Stdout = io.MultiWriter(file, &printed)
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Errorf("$ %s\n%s\n%v", line, printed.String(), err)
	}
	t.Logf("%.0f s, in %s:\n%s", time.Since(began).Seconds(), path, printed.String())
	return printed.String()
}

// cyclonus runs each twelfth case and one of each tag, or all.
func (s *suite) cyclonus(t *testing.T) {
	every, cases := 12, 31
	if s.whole {
		every, cases = 1, 230
	}
	out := s.runs(t, "cyclonus", fmt.Sprintf("%s/cyclonus -every %d -wait '%s'", s.dir, every, s.wait))
	lab.Has(t, "cyclonus", out, fmt.Sprintf("%d of %d cases passed", cases, cases))
}

func (s *suite) leak(t *testing.T) {
	// All of the part's pods have addresses at once: none waits until one has rested.
	pods, control := 40, 8
	if s.whole {
		pods, control = 1000, 24
	}
	out := s.runs(t, "leak", fmt.Sprintf("%s/leak -pods %d -control %d -wait '%s'", s.dir, pods, control, s.wait))
	lab.Has(t, "leak", out, fmt.Sprintf("%d pods started under default-deny", pods), ": 0 packets of ", "that they sent arrived, 0 reached them")
}

// upstream runs the tests of what a policy lets through. The three that connect by
// SCTP need sockets of it, which not every kernel has: they are run where it does.
func (s *suite) upstream(t *testing.T) {
	label, tests := "Feature: containsAny NetworkPolicy", 49
	if _, err := os.Stat("/proc/net/sctp"); err != nil {
		t.Log("this kernel has no SCTP sockets: 3 tests are not run")
		label, tests = label+" && !(Feature: containsAny SCTPConnectivity)", 46
	}
	focus := ""
	if !s.whole {
		focus, tests = " -ginkgo.focus 'default-deny-all|from pods in all namespaces|egress access on one named port'", 3
	}
	report := filepath.Join(s.dir, "e2e.json")
	line := fmt.Sprintf("%s/e2e -kubeconfig $KUBECONFIG -ginkgo.no-color -ginkgo.json-report %s -ginkgo.label-filter '%s'%s", s.dir, report, label, focus)
	s.runs(t, "e2e", line+" 2>&1 | tail -n 300; exit ${PIPESTATUS[0]}")
	passed, table := results(t, report)
	t.Logf("%d of %d passed\n%s", passed, tests, table)
	if passed != tests {
		t.Errorf("%d of %d tests passed", passed, tests)
	}
}

// results reads ginkgo's report.
func results(t *testing.T, path string) (passed int, table string) {
	var suites []struct {
		SpecReports []struct {
			LeafNodeType, LeafNodeText, State string
			RunTime                           time.Duration
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range suites {
		for _, r := range s.SpecReports {
			if r.LeafNodeType != "It" || r.State == "skipped" {
				continue
			}
			if r.State == "passed" {
				passed++
			}
			lines = append(lines, fmt.Sprintf("| %s | %s | %.0f s |", r.LeafNodeText, r.State, r.RunTime.Seconds()))
		}
	}
	return passed, "| test | result | time |\n| --- | --- | ---: |\n" + strings.Join(lines, "\n")
}
