package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// ignoreLoopback leaves a pod's probes of itself, through its Service, out of what
// passes, as Kubernetes' own tests do: cyclonus asks the policies about them, a pod
// "can't block access to itself" (Kubernetes), and networks differ. They are counted
// apart.
const ignoreLoopback = true

// report gathers results and says at once what was wrong with a case.
type report struct {
	began   time.Time
	results []*connectivity.Result
	broken  int // cases that could not be run to their end
	steps   int
}

func (r *report) add(number int, result *connectivity.Result) {
	if result.Err != nil {
		r.broken++
		fmt.Printf("\nFAIL %d: %s\n  could not be run: %v\n", number, result.TestCase.Description, result.Err)
		return
	}
	if wrong := letThrough(result); len(wrong) > 0 {
		r.broken++
		fmt.Printf("\nFAIL %d: %s\n  let through at first\n    %s\n", number, result.TestCase.Description, strings.Join(first(wrong, 12), "\n    "))
		return
	}
	r.results = append(r.results, result)
	r.steps += len(result.Steps)
	if result.Passed(ignoreLoopback) {
		return
	}
	fmt.Printf("\nFAIL %d: %s\n", number, result.TestCase.Description)
	for i, step := range result.Steps {
		if wrong := differences(step.LastComparison()); len(wrong) > 0 {
			fmt.Printf("  step %d, %d wrong\n    %s\n", i+1, len(wrong), strings.Join(first(wrong, 12), "\n    "))
			for _, p := range step.KubePolicies {
				text, _ := yaml.Marshal(p.Spec)
				fmt.Printf("    policy %s/%s\n      %s\n", p.Namespace, p.Name, strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n      "))
			}
		}
	}
}

// letThrough lists what passed, and should not have, before a step was probed again.
func letThrough(result *connectivity.Result) (wrong []string) {
	for _, step := range result.Steps {
		for i := range len(step.KubeProbes) - 1 {
			for _, line := range differences(step.Comparison(i)) {
				if strings.HasSuffix(line, "got "+string(probe.ConnectivityAllowed)) {
					wrong = append(wrong, line)
				}
			}
		}
	}
	return wrong
}

// differences lists the probes of a step that came out otherwise than expected.
func differences(table *connectivity.ComparisonTable) []string {
	var wrong []string
	for _, key := range table.Wrapped.Keys() {
		if ignoreLoopback && key.From == key.To {
			continue
		}
		item := table.Get(key.From, key.To)
		for name, expected := range item.Simulated.JobResults {
			got := probe.ConnectivityUnknown
			if seen, ok := item.Kube.JobResults[name]; ok {
				got = seen.Combined
			}
			if got != expected.Combined {
				wrong = append(wrong, fmt.Sprintf("%s -> %s %s: expected %s, got %s", key.From, key.To, name, expected.Combined, got))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

func first(lines []string, n int) []string {
	if len(lines) <= n {
		return lines
	}
	return append(lines[:n:n], fmt.Sprintf("and %d more", len(lines)-n))
}

// loopback counts the probes of pods by themselves.
func (r *report) loopback() (allowed, all int) {
	for _, result := range r.results {
		for _, step := range result.Steps {
			table := step.LastKubeProbe()
			for _, key := range table.Wrapped.Keys() {
				if key.From != key.To {
					continue
				}
				for _, seen := range table.Get(key.From, key.To).JobResults {
					all++
					if seen.Combined == probe.ConnectivityAllowed {
						allowed++
					}
				}
			}
		}
	}
	return allowed, all
}

// print prints the tables and reports whether all cases passed.
func (r *report) print() bool {
	summary := connectivity.NewSummaryTableFromResults(ignoreLoopback, r.results)
	failed := summary.Failed + r.broken
	fmt.Printf("\n%d of %d cases passed, in %d steps and %.0f s.\n", summary.Passed, summary.Passed+failed, r.steps, time.Since(r.began).Seconds())

	fmt.Printf("\n| probes | right | wrong |\n| --- | ---: | ---: |\n")
	for _, p := range []v1.Protocol{v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP} {
		counts := summary.ProtocolCounts[p]
		right, wrong := counts[connectivity.SameComparison], counts[connectivity.DifferentComparison]
		if right+wrong == 0 {
			fmt.Printf("| %s | not probed | |\n", p)
			continue
		}
		fmt.Printf("| %s | %d | %d |\n", p, right, wrong)
	}
	allowed, all := r.loopback()
	fmt.Printf("\nOf %d probes of a pod by itself, through its Service, %d were allowed.\n", all, allowed)

	fmt.Printf("\n| cases about | passed |\n| --- | ---: |\n")
	for _, group := range slices.Sorted(maps.Keys(summary.TagCounts)) {
		for _, tag := range slices.Sorted(maps.Keys(summary.TagCounts[group])) {
			counts := summary.TagCounts[group][tag]
			name := tag
			if group != tag {
				name = group + ": " + tag
			}
			fmt.Printf("| %s | %d of %d |\n", name, counts[true], counts[true]+counts[false])
		}
	}
	return failed == 0
}
