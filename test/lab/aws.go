package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// AWS is the terminal with the AWS CLI of a major version ("1", "2") first in
// its PATH. Without version 2 the test fails; version 1, which Debian no longer
// has, is tested where it is installed.
func (x Terminal) AWS(t testing.TB, major string) Terminal {
	t.Helper()
	path := os.Getenv("PATH")
	for _, dir := range append(filepath.SplitList(path), "/usr/bin", "/usr/local/bin") {
		out, err := exec.Command(filepath.Join(dir, "aws"), "--version").CombinedOutput()
		if err == nil && strings.HasPrefix(string(out), "aws-cli/"+major+".") {
			t.Logf("%s: %s", dir, out)
			return x.With("PATH=" + dir + ":" + path)
		}
	}
	if major == "1" {
		t.Skip("version 1 of the AWS CLI is not installed (pip install awscli)")
	}
	t.Fatalf("version %s of the AWS CLI is not installed (apt-get install awscli)", major)
	return x
}

// Plain is the AWS API's address without TLS, for clients that trust nobody's
// certificate.
func Plain(endpoint string) string { return strings.Replace(endpoint, "https://", "http://", 1) }
