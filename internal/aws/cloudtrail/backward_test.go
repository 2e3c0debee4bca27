package cloudtrail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNewest reads lines of all lengths backwards, beside what is in the files.
func TestNewest(t *testing.T) {
	dir := t.TempDir()
	var all []string
	for segment := range 3 {
		var text strings.Builder
		for n := range 40 {
			line := fmt.Sprintf("%d-%d-%s", segment, n, strings.Repeat("x", n*n*n%70001)) // some longer than a block
			all = append(all, line)
			text.WriteString(line + "\n")
		}
		if segment == 2 {
			text.WriteString("torn")
		}
		write(t, dir, fmt.Sprintf("2026112%dT000000.000000Z-000001.jsonl", segment), text.String())
	}
	write(t, dir, "20261129T000000.000000Z-000001.jsonl", "")     // begun, nothing written
	write(t, dir, "20261130T000000.000000Z-000001.jsonl", "torn") // its first line is being written
	slices.Reverse(all)
	var got []string
	var places []Position
	for line, err := range Newest(dir, Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		got, places = append(got, string(line.Text)), append(places, line.Before)
	}
	if !slices.Equal(got, all) {
		t.Fatalf("%d lines, want %d; the first is %.20q", len(got), len(all), got[0])
	}
	for i, at := range places { // from every place on
		rest := 0
		for line, err := range Newest(dir, at) {
			if err != nil || string(line.Text) != all[i+1] {
				t.Fatalf("before line %d comes %.20q, want %.20q (%v)", i, line.Text, all[i+1], err)
			}
			rest++
			break
		}
		if rest != min(1, len(all)-i-1) {
			t.Fatalf("before line %d come %d", i, rest)
		}
	}
	for _, err := range Newest(filepath.Join(dir, "none"), Position{}) {
		if err == nil {
			t.Error("a directory that is not there can be read")
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
