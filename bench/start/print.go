package main

import (
	"fmt"
	"slices"
	"time"
)

// floors are what the parts alone took, without a daemon, front door or network
// of ours, started by hand on the same kind of machine: the least and the most
// of a few runs. Memory is in MB, with settings of Go's collector between 50 and
// 100.
var floors = map[string]string{
	"up":                      "4.9 to 5.5",
	"all":                     "542 to 588",
	"kube-apiserver":          "216 to 243",
	"kube-controller-manager": "63 to 82",
	"etcd":                    "46 to 79",
	"kubelet":                 "45 to 50",
	"containerd":              "45",
	"kube-scheduler":          "34 to 39",
	"kube-proxy":              "31 to 35",
	"coredns":                 "40 each",
	"shims":                   "9 to 17 each",
}

func (b *bench) print(first start) {
	var walls, totals []float64
	for _, s := range b.starts {
		walls = append(walls, s.Wall)
	}
	for _, m := range b.memory {
		totals = append(totals, float64(m.total)/1e6)
	}
	fmt.Println("| | median | least | most | floor | goals |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	fmt.Printf("| up, from stopped | %s | %s s | 8, then 5 s |\n", spread(walls, "%.1f s"), floors["up"])
	fmt.Printf("| memory (PSS) of all parts | %s | %s MB | 800, then 600 MB |\n", spread(totals, "%.0f MB"), floors["all"])
	fmt.Printf("| status | %s | | 50 ms |\n", spread(b.status, "%.0f ms"))
	fmt.Printf("| down | %s | | 15 s |\n", spread(b.downs, "%.1f s"))
	fmt.Printf("\nThe very first start, which makes the cluster: %.1f s.\n\n", first.Wall)
	b.printTimeline()
	b.printMemory()
}

// spread is the median, the least and the most of a list, as table cells.
func spread(list []float64, format string) string {
	if len(list) == 0 {
		return "| |"
	}
	sorted := slices.Sorted(slices.Values(list))
	return fmt.Sprintf(format+" | "+format+" | "+format, sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1])
}

// printTimeline shows the start with the median time.
func (b *bench) printTimeline() {
	sorted := slices.SortedFunc(slices.Values(b.starts), func(a, b start) int { return int(1e6 * (a.Wall - b.Wall)) })
	s := sorted[len(sorted)/2]
	begun := s.begun()
	fmt.Printf("The start of %.1f s:\n\n| part | from | to | took |\n| --- | --- | --- | --- |\n", s.Wall)
	for _, step := range s.Timeline {
		from := step.Started.Sub(begun)
		fmt.Printf("| %s | %.2f s | %.2f s | %.2f s |\n", step.Name, from.Seconds(), (from + step.Took).Seconds(), step.Took.Seconds())
	}
	fmt.Println()
}

// printMemory shows the run with the median total.
func (b *bench) printMemory() {
	sorted := slices.SortedFunc(slices.Values(b.memory), func(a, b footprint) int { return int(a.total - b.total) })
	m := sorted[len(sorted)/2]
	var names []string
	for name := range m.parts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return int(m.parts[b] - m.parts[a]) })
	fmt.Printf("Memory %v after the start, MB:\n\n| part | PSS | floor |\n| --- | --- | --- |\n", b.settle.Round(time.Second))
	for _, name := range names {
		fmt.Printf("| %s | %.0f | %s |\n", name, float64(m.parts[name])/1e6, floors[name])
	}
	fmt.Printf("| all | %.0f | %s |\n", float64(m.total)/1e6, floors["all"])
}
