package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

var errNotOffered = errors.New("not offered")

// ripgrep searches the file's text.
type ripgrep struct{ file string }

func (g *ripgrep) kept(file, _ string) []string { return []string{file} }
func (g *ripgrep) load(_, _ string) error       { return nil }
func (g *ripgrep) open(file, _ string) error    { g.file = file; return nil }
func (g *ripgrep) ask(query int) (a answer, err error) {
	pattern := []string{`"username":"kubernetes-admin"`, `"username":"user1"`, "", "secrets", "", "", "", "", `"auditID":"` + oneID + `"`}[query]
	if pattern == "" {
		return a, errNotOffered
	}
	out, err := exec.Command("rg", "-cF", pattern, g.file).Output()
	if err != nil {
		return a, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if query < 2 || query > 6 {
		return answer{Rows: int(min(n, limit))}, err
	}
	return answer{Rows: 1, Total: n}, err
}

// sampled is how many times smaller than the file jq's is: it takes a minute a query.
const sampled = 50

// jq reads a part of the file.
type jq struct{ sample string }

func (j *jq) kept(file, _ string) []string { return []string{file} }
func (j *jq) load(file, dir string) error {
	return exec.Command("sh", "-c", fmt.Sprintf("awk 'NR %% %d == 0' %s >%s", sampled, file, filepath.Join(dir, "sample.json"))).Run()
}
func (j *jq) open(_, dir string) error {
	j.sample = filepath.Join(dir, "sample.json")
	_, err := os.Stat(j.sample)
	return err
}
func (j *jq) ask(query int) (a answer, err error) {
	program := []string{
		`select(.user.username == "kubernetes-admin")`,
		`select(.user.username == "user1")`,
		`.user.username + " " + .verb`,
		"", "",
		`select(.objectRef.resource == "secrets" and (.verb == "get" or .verb == "list") and .responseStatus.code >= 400) | .user.username`,
		"", "",
		`select(.auditID == "` + oneID + `")`,
	}[query]
	if program == "" {
		return a, errNotOffered
	}
	return a, exec.Command("sh", "-c", fmt.Sprintf("jq -c '%s' %s | sort | uniq -c >/dev/null", program, j.sample)).Run()
}
