// Command logs compares stores of audit logs on one file of generated events: how fast
// they take it in, what they keep on disk, what memory they need, and how long seven
// queries take, cold (a new process, the page cache dropped, which takes root) and warm
// (the best of several). Each store runs in a process of its own.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	events = flag.Int("events", 1_000_000, "how many events are generated")
	dir    = flag.String("dir", "", "where to keep everything (a new folder, deleted at the end)")
	only   = flag.String("only", "", "the stores to run, such as eksact or 'duckdb, latest', separated by semicolons (all)")
	warm   = flag.Int("warm", 5, "how often a query is asked warm")
	part   = flag.String("part", "", "load or ask: what a process of this one's does")
)

var stores = []struct {
	name    string
	make    func() store
	program string // that has to be installed, if any
}{
	{"eksact", func() store { return &own{} }, ""},
	{"DuckDB, default", func() store { return &duck{} }, ""},
	{"DuckDB, latest", func() store { return &duck{storage: "latest"} }, ""},
	{"DuckDB on NDJSON", func() store { return &duck{storage: "file"} }, ""},
	{"VictoriaLogs", func() store { return &victoria{} }, ""},
	{"ripgrep", func() store { return &ripgrep{} }, "rg"},
	{"jq", func() store { return &jq{} }, "jq"},
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	if *part != "" {
		return runPart(*part, flag.Arg(0), *dir)
	}
	if *dir == "" {
		made, err := os.MkdirTemp("", "bench-logs-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(made)
		*dir = made
	}
	wanted, err := chosen(*only)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(*dir, "events.json")
	if err := generate(file, *events); err != nil {
		return err
	}
	size := sizeOf(file)
	fmt.Printf("%d events, %.1f MB, mean %d bytes\n\n", *events, mb(size), size/int64(*events))
	var all []outcome
	for _, name := range wanted {
		o, err := measure(name, filepath.Join(*dir, strings.NewReplacer(" ", "-", ",", "").Replace(name)), file)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, o)
	}
	return print(os.Stdout, all, size)
}

// chosen are the names of the stores of a list, or all.
func chosen(list string) (names []string, err error) {
	var all []string
	for _, s := range stores {
		all = append(all, s.name)
		if _, missing := exec.LookPath(s.program); s.program != "" && missing != nil && list == "" {
			fmt.Fprintf(os.Stderr, "%s is not installed and left out\n", s.program)
			continue
		}
		names = append(names, s.name)
	}
	if list == "" {
		return names, nil
	}
	names = nil
	for one := range strings.SplitSeq(list, ";") {
		i := slices.IndexFunc(all, func(name string) bool { return strings.EqualFold(name, strings.TrimSpace(one)) })
		if i < 0 {
			return nil, fmt.Errorf("there is no store %q; there are %s", one, strings.Join(all, "; "))
		}
		names = append(names, all[i])
	}
	return names, nil
}

// A load is what taking in costs.
type load struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"` // seconds of all cores
	Peak    int64   `json:"peak"`
}

// An asked is what a query costs, in milliseconds.
type asked struct {
	Answer answer  `json:"answer"`
	Cold   float64 `json:"cold"`
	Warm   float64 `json:"warm"`
	Not    bool    `json:"not"` // not offered
	Peak   int64   `json:"peak"`
}

// An outcome is all of one store.
type outcome struct {
	name  string
	load  load
	disk  int64
	asked []asked
}

// measure runs a store's parts, each in a process.
func measure(name, dir, file string) (o outcome, err error) {
	o.name = name
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return o, err
	}
	fmt.Fprintf(os.Stderr, "%s: loading\n", name)
	if err := child(&o.load, "load", dir, name, file); err != nil {
		return o, err
	}
	for _, path := range named(name).kept(file, dir) {
		o.disk += sizeOf(path)
	}
	for q := range queries {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, queries[q].name)
		dropCaches()
		var a asked
		if err := child(&a, "ask", dir, name, file, strconv.Itoa(q)); err != nil {
			return o, fmt.Errorf("query %d: %w", q+1, err)
		}
		o.asked = append(o.asked, a)
	}
	return o, nil
}

func child(result any, part, dir string, args ...string) error {
	cmd := exec.Command(os.Args[0], slices.Concat([]string{"-part", part, "-dir", dir, "-warm", strconv.Itoa(*warm), "-loggerLevel", "ERROR"}, args)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return json.Unmarshal(out, result)
}

// runPart is a child's work; its result is JSON on standard output.
func runPart(part, name, dir string) error {
	s, file := named(name), flag.Arg(1)
	var result any
	switch part {
	case "load":
		began := time.Now()
		if err := s.load(file, dir); err != nil {
			return err
		}
		result = load{Seconds: time.Since(began).Seconds(), CPU: cpu(), Peak: peak()}
	case "ask":
		q, err := strconv.Atoi(flag.Arg(2))
		if err != nil {
			return err
		}
		a, err := askAll(s, file, dir, q)
		if err != nil {
			return err
		}
		result = a
	default:
		return errors.New("no part " + part)
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// enough is after how long a query isn't asked again.
const enough = 5 * time.Second

// askAll opens the store and asks, cold first.
func askAll(s store, file, dir string, q int) (a asked, err error) {
	began := time.Now()
	if err := s.open(file, dir); err != nil {
		return a, err
	}
	a.Answer, err = s.ask(q)
	if errors.Is(err, errNotOffered) {
		return asked{Not: true}, nil
	}
	a.Cold = ms(time.Since(began))
	a.Warm = a.Cold
	for i, all := 0, time.Now(); i < *warm && err == nil && (i == 0 || time.Since(all) < enough); i++ {
		began = time.Now()
		_, err = s.ask(q)
		a.Warm = min(a.Warm, ms(time.Since(began)))
	}
	a.Peak = peak()
	return a, err
}

func named(name string) store {
	for _, s := range stores {
		if s.name == name {
			return s.make()
		}
	}
	panic("no store " + name)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func mb(n int64) float64         { return float64(n) / 1e6 }

// peak is the most memory that the process or one of its children had, in bytes.
func peak() int64 {
	text, _ := os.ReadFile("/proc/self/status")
	var kb int64
	if _, rest, ok := strings.Cut(string(text), "VmHWM:"); ok {
		fmt.Sscan(rest, &kb)
	}
	var children syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children)
	return max(kb, children.Maxrss) * 1024
}

// cpu is the seconds of processor time that the process and its children took.
func cpu() (seconds float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		syscall.Getrusage(who, &u)
		seconds += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	return seconds
}

func dropCaches() {
	syscall.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0o200); err != nil {
		fmt.Fprintln(os.Stderr, "the page cache stays, so cold is not cold:", err)
	}
}

func sizeOf(path string) (n int64) {
	filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
