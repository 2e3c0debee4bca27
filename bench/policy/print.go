package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (b *bench) print(cases []policyCase, o *owned, others float64) {
	fmt.Printf("IAM decisions, %d rounds of %v, %s", b.rounds, b.time, machine())
	for _, p := range b.peers {
		if p.version != "" {
			fmt.Printf(", %s", p.version)
		}
	}
	fmt.Printf(". Others took %.0f %% of the processors.\n\n", 100*others)
	b.printDecisions(cases)
	b.printGoals(o)
	o.print()
}

// printDecisions is the table of all peers and cases; in brackets how many times
// ours a figure is. What is wrong with one stands below.
func (b *bench) printDecisions(cases []policyCase) {
	var notes []string
	fmt.Print("| a decision |")
	for _, p := range b.peers {
		fmt.Printf(" %s |", p.name)
	}
	fmt.Print("\n| --- |" + strings.Repeat(" --- |", len(b.peers)) + "\n")
	for i := range cases {
		c := &cases[i]
		fmt.Printf("| %s |", c.Name)
		for _, p := range b.peers {
			r := b.table[row{p.name, c.Name}]
			mark := ""
			if note := r.note(c); note != "" {
				mark = marked(&notes, note)
			}
			fmt.Printf(" %s%s |", b.cell(p, c, r), mark)
		}
		fmt.Println()
	}
	fmt.Println()
	for i, note := range notes {
		fmt.Printf("%s %s.\n", superscript(i+1), note)
	}
	b.printAllocations(cases)
}

// cell is a figure of the table.
func (b *bench) cell(p *peer, c *policyCase, r result) string {
	switch {
	case r.cut:
		return fmt.Sprintf("over %v", b.cutoff)
	case r.Refused != "":
		return "–"
	case p.name == ours:
		return duration(r.Nanoseconds)
	}
	return fmt.Sprintf("%s (%s)", duration(r.Nanoseconds), thousands(rounded(r.Nanoseconds/b.nanoseconds(ours, c.Name), 2)))
}

func (b *bench) nanoseconds(peer, name string) float64 { return b.table[row{peer, name}].Nanoseconds }

// marked numbers a note, the same by the same number.
func marked(notes *[]string, note string) string {
	at := slices.Index(*notes, note)
	if at < 0 {
		at = len(*notes)
		*notes = append(*notes, note)
	}
	return superscript(at + 1)
}

func superscript(n int) string { return string([]rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[n%10]) }

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	for _, unit := range []string{"ns", "µs", "ms"} {
		if ns < 999.5 {
			return fmt.Sprintf("%.3g %s", ns, unit)
		}
		ns /= 1000
	}
	return fmt.Sprintf("%.3g s", ns)
}

// rounded keeps so many digits of a number.
func rounded(x float64, digits int) float64 {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'e', digits-1, 64), 64)
	return x
}

// thousands writes a number with commas, small ones with a digit after the point.
func thousands(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.1f", x)
	}
	digits := fmt.Sprintf("%.0f", x)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// printAllocations tells what the Go ones allocate, from the least to the most
// over the cases.
func (b *bench) printAllocations(cases []policyCase) {
	var list []string
	for _, p := range b.peers {
		if engines[p.name] == nil {
			continue
		}
		var counts []float64
		for _, c := range cases {
			if r, ok := b.table[row{p.name, c.Name}]; ok && !r.settled() {
				counts = append(counts, r.Allocs)
			}
		}
		if len(counts) > 0 {
			list = append(list, fmt.Sprintf("%s: %.0f to %.0f", p.name, slices.Min(counts), slices.Max(counts)))
		}
	}
	fmt.Printf("\nAllocations a decision: %s.\n\n", strings.Join(list, "; "))
}

// printGoals compares with what was to be reached.
func (b *bench) printGoals(o *owned) {
	fmt.Print("| goal | measured | |\n| --- | --- | --- |\n")
	say := func(goal, measured string, met bool) {
		verdict := "missed"
		if met {
			verdict = "met"
		}
		fmt.Printf("| %s | %s | %s |\n", goal, measured, verdict)
	}
	if _, ok := b.table[row{minioPeer, oneStatement}]; ok {
		one := b.nanoseconds(minioPeer, oneStatement) / b.nanoseconds(ours, oneStatement)
		say("1 statement: 5 times minio", fmt.Sprintf("%.1f times", one), one >= 5)
		conditions := b.nanoseconds(minioPeer, oneConditions) / b.nanoseconds(ours, oneConditions)
		say("the same, with conditions", fmt.Sprintf("%.1f times", conditions), conditions >= 5)
		ten := b.nanoseconds(minioPeer, tenTwenty) / b.nanoseconds(ours, tenTwenty)
		say("10 × 20: 100 times minio", fmt.Sprintf("%s times", thousands(ten)), ten >= 100)
	}
	nanoseconds := func(goal, name string, most float64) {
		ns := b.nanoseconds(ours, name)
		say(goal, duration(ns), ns < most)
	}
	nanoseconds("10 × 20: under 1 µs", tenTwenty, 1000)
	many := b.nanoseconds(ours, ofOneService) / b.nanoseconds(ours, tenTwenty)
	say("5,000 of one service: at most 3 times our 10 × 20", fmt.Sprintf("%.2f times", many), many <= 3)
	nanoseconds("an action that no statement covers: under 100 ns", uncovered, 100)
	nanoseconds("20 stars on 60 bytes: under 5 µs", twentyStars, 5000)
	var allocs float64
	for key, r := range b.table {
		if key.peer == ours {
			allocs = max(allocs, r.Allocs)
		}
	}
	say("no allocations in all of them", fmt.Sprint(allocs), allocs == 0)
	compile := o.parse + o.compile + o.join
	say("compiling: at most 20 µs a statement", fmt.Sprintf("%.1f µs (parse %.1f, compile %.1f, join %.1f)", compile, o.parse, o.compile, o.join), compile <= 20)
	fmt.Println()
}

func (o *owned) print() {
	fmt.Println("| policies | statements | from text to program | memory, parse trees and all | of the program alone |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, f := range o.sets {
		fmt.Printf("| %s | %d | %s | %s kB | %s kB |\n", f.name, f.statements, duration(1e3*f.prepare), thousands(f.all/1e3), thousands(f.program/1e3))
	}
}
