package main

import (
	"fmt"
	"io"
)

// print writes the outcomes as tables, and fails if stores do not agree.
func print(w io.Writer, all []outcome, size int64) error {
	fmt.Fprint(w, "| |")
	for _, o := range all {
		fmt.Fprintf(w, " %s |", o.name)
	}
	fmt.Fprint(w, "\n| --- |")
	for range all {
		fmt.Fprint(w, " ---: |")
	}
	row := func(title string, cell func(outcome) string) {
		fmt.Fprintf(w, "\n| %s |", title)
		for _, o := range all {
			fmt.Fprintf(w, " %s |", cell(o))
		}
	}
	for q := range queries {
		row(queries[q].name+", ms cold / warm", func(o outcome) string {
			a := o.asked[q]
			switch {
			case a.Not:
				return "–"
			case o.name == "jq":
				return fmt.Sprintf("%.0f ×%d", a.Warm, sampled)
			}
			return fmt.Sprintf("%.0f / %.1f", a.Cold, a.Warm)
		})
	}
	row("taken in, MB/s (a core-second)", func(o outcome) string {
		if o.disk == size {
			return "–"
		}
		return fmt.Sprintf("%.0f (%.0f)", mb(size)/o.load.Seconds, mb(size)/o.load.CPU)
	})
	row("on disk, MB (raw / it)", func(o outcome) string {
		return fmt.Sprintf("%.1f (%.1f)", mb(o.disk), float64(size)/float64(o.disk))
	})
	row("peak memory loading / asking, MB", func(o outcome) string {
		var most int64
		for _, a := range o.asked {
			most = max(most, a.Peak)
		}
		return fmt.Sprintf("%.0f / %.0f", mb(o.load.Peak), mb(most))
	})
	fmt.Fprintln(w)
	return agree(w, all)
}

// agree compares the answers with the first store's.
func agree(w io.Writer, all []outcome) error {
	var differ int
	for q := range queries {
		for _, o := range all[1:] {
			first, a := all[0].asked[q], o.asked[q]
			if !a.Not && !first.Not && o.name != "jq" && a.Answer != first.Answer {
				fmt.Fprintf(w, "\n%s: %s says %v, %s says %v", queries[q].name, all[0].name, first.Answer, o.name, a.Answer)
				differ++
			}
		}
	}
	if differ > 0 {
		fmt.Fprintln(w)
		return fmt.Errorf("%d answers differ", differ)
	}
	return nil
}
