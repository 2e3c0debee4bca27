package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// AWS is the terminal with the AWS CLI of a major version ("1", "2") first in
// its PATH. Without version 2 the test fails; version 1, which Debian no longer
// has, is tested where it is installed.
func (x Terminal) AWS(t testing.TB, major string) Terminal {
	t.Helper()
	dir, says := findAWS(major)
	switch {
	case dir != "":
		t.Logf("%s: %s", dir, says)
		return x.With("PATH=" + dir + ":" + os.Getenv("PATH"))
	case major == "1":
		t.Skip("version 1 of the AWS CLI is not installed (pip install awscli)")
	}
	t.Fatalf("version %s of the AWS CLI is not installed (apt-get install awscli)", major)
	return x
}

// NeedAWS says of a whole test what AWS says of its terminals, before anything is started.
func NeedAWS(t testing.TB, major string) {
	t.Helper()
	Need(t)
	Terminal{}.AWS(t, major)
}

// OldAWS is the terminal with version 1 of the AWS CLI, or, where that is not
// installed, with version 2.
func (x Terminal) OldAWS(t testing.TB) Terminal {
	t.Helper()
	return x.AWS(t, OldestAWS())
}

// OldestAWS is the oldest major version of the AWS CLI that is installed.
func OldestAWS() string {
	if dir, _ := findAWS("1"); dir != "" {
		return "1"
	}
	return "2"
}

// findAWS looks for an AWS CLI of a major version, once; says is what it calls itself.
func findAWS(major string) (dir, says string) {
	cliMu.Lock()
	defer cliMu.Unlock()
	c, known := clis[major]
	if !known {
		c.dir, c.says = lookForAWS(major)
		clis[major] = c
	}
	return c.dir, c.says
}

var (
	cliMu sync.Mutex
	clis  = map[string]struct{ dir, says string }{}
)

func lookForAWS(major string) (dir, says string) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin", "/usr/local/bin") {
		out, err := exec.Command(filepath.Join(dir, "aws"), "--version").CombinedOutput()
		if err == nil && strings.HasPrefix(string(out), "aws-cli/"+major+".") {
			return dir, string(out)
		}
	}
	return "", ""
}

// Plain is the AWS API's address without TLS, for clients that trust nobody's
// certificate.
func Plain(endpoint string) string { return strings.Replace(endpoint, "https://", "http://", 1) }
