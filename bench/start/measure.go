package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
)

// start is what eksact up says, and how long the command took.
type start struct {
	Seconds  float64        `json:"seconds"`
	Timeline []control.Step `json:"timeline"`
	Wall     float64        `json:"-"`
}

// begun is when the command began, as near as its own clock tells.
func (s start) begun() time.Time {
	if len(s.Timeline) == 0 {
		return time.Time{}
	}
	first := s.Timeline[0]
	last := first.Started.Add(first.Took)
	for _, step := range s.Timeline {
		if end := step.Started.Add(step.Took); end.After(last) {
			last = end
		}
	}
	return last.Add(-time.Duration(s.Seconds * float64(time.Second)))
}

// footprint is memory by part, in bytes.
type footprint struct {
	parts map[string]int64
	total int64
}

// eksact runs the program and reads the JSON it prints into out, unless that is
// nil. It returns how long it ran.
func (b *bench) eksact(ctx context.Context, out any, args ...string) (time.Duration, error) {
	if b.state != "" {
		args = append(args, "--state-dir", b.state)
	}
	cmd := exec.CommandContext(ctx, b.program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		return took, fmt.Errorf("eksact %s: %w\n%s", args[0], err, stderr.String())
	}
	if out != nil {
		err = json.Unmarshal(stdout.Bytes(), out)
	}
	return took, err
}

func version(ctx context.Context, b *bench) string {
	out, err := exec.CommandContext(ctx, b.program, "version").Output()
	if err != nil {
		return "of an unknown version"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// measureMemory asks the daemon for the memory of every part. What it says of a
// node as a whole is split here into the node's programs.
func (b *bench) measureMemory(ctx context.Context) (footprint, error) {
	var s control.Status
	if _, err := b.eksact(ctx, &s, "status", "--memory", "-o", "json"); err != nil {
		return footprint{}, err
	}
	f := footprint{parts: map[string]int64{}}
	for _, p := range s.Processes {
		if p.Name == "eksact" { // whose parent keeps all of them, itself unlisted
			keeper := proportional(parentOf(p.Pid))
			f.parts["eksact-node keep"] = keeper
			f.total += keeper
		}
		f.total += p.Memory
		if strings.HasPrefix(p.Name, "node-") {
			for name, bytes := range nodePrograms(p.Pid) {
				f.parts[name] += bytes
			}
			continue
		}
		if p.Memory > 0 {
			f.parts[plain(p.Name)] += p.Memory
		}
	}
	return f, nil
}

// plain is a program's name without its cluster's.
func plain(name string) string {
	for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		if strings.Contains(name, component) {
			return component
		}
	}
	return name
}

// nodePrograms sums the memory of a node's processes by program.
func nodePrograms(pid int) map[string]int64 {
	sums := map[string]int64{}
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		pid := queue[0]
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		for _, list := range lists {
			children, _ := os.ReadFile(list)
			for _, field := range strings.Fields(string(children)) {
				if child, err := strconv.Atoi(field); err == nil {
					queue = append(queue, child)
				}
			}
		}
		sums[programOf(pid)] += proportional(pid)
	}
	return sums
}

// parentOf is a process's parent.
func parentOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	if fields := strings.Fields(rest); len(fields) > 1 {
		parent, _ := strconv.Atoi(fields[1])
		return parent
	}
	return 0
}

// programOf names a process as it was started; the node's init by what it is.
func programOf(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	first, rest, _ := strings.Cut(string(line), "\x00")
	name := first[strings.LastIndexByte(first, '/')+1:]
	second, _, _ := strings.Cut(rest, "\x00")
	switch name {
	case "containerd-shim-runc-v2":
		return "shims"
	case "eksact-node":
		return "eksact-node " + second
	}
	return name
}

// proportional is the proportional set size of a process, in bytes.
func proportional(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10
}
