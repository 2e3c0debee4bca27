package sdks

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eksact/eksact/test/lab"
)

// Said is what a program says of a round.
type Said struct {
	ARN     string
	Buckets []string
	Put     string // the code of its error; "" if it succeeded
	Key     string // access key id of the credentials
	Old     string // code of the error that the first round's credentials meet by now
}

// Read reads what a program printed.
func Read(t testing.TB, text string) (all []Said) {
	t.Helper()
	for line := range strings.Lines(text) {
		var s Said
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v in what an SDK said:\n%s", err, text)
		}
		all = append(all, s)
	}
	return all
}

func dir(t testing.TB) string { return filepath.Join(lab.Root(t), "test", "sdks") }

// Go builds the program in Go, without libraries of the system, and returns its path.
func Go(t testing.TB) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "sdk")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, "./go")
	cmd.Dir, cmd.Env = dir(t), append(os.Environ(), "CGO_ENABLED=0")
	run(t, cmd)
	return out
}

// Python is the program in Python.
func Python(t testing.TB) string { return filepath.Join(dir(t), "python", "sdk.py") }

// JS bundles the program in JavaScript into one file and returns its path; "" without
// npm.
func JS(t testing.TB) string {
	t.Helper()
	at := lab.Modules(t, filepath.Join(dir(t), "js"))
	if at == "" {
		t.Log("without npm the SDK for JavaScript is not tried")
		return ""
	}
	out := filepath.Join(t.TempDir(), "sdk.mjs")
	cmd := exec.Command(filepath.Join(at, "node_modules", ".bin", "esbuild"), "sdk.mjs", "--bundle", "--platform=node", "--format=esm", "--log-level=error",
		"--banner:js=import{createRequire}from'node:module';const require=createRequire(import.meta.url);", "--outfile="+out)
	cmd.Dir = at
	run(t, cmd)
	return out
}

// NewBoto3 is a boto3 of this machine that knows Pod Identity, which Debian's does not:
// the files that the program needs, by their path below a folder for PYTHONPATH; nil
// without one.
func NewBoto3(t testing.TB) map[string]string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import boto3, botocore.utils as u; print('169.254.170.23' in u.ContainerMetadataFetcher._ALLOWED_HOSTS, boto3.__path__[0])").Output()
	known, at, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || known != "True" {
		t.Log("without a new boto3 (pip install boto3) the SDK for Python is not tried with Pod Identity")
		return nil
	}
	site, files := filepath.Dir(at), map[string]string{}
	for _, name := range []string{"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"} {
		must(t, filepath.WalkDir(filepath.Join(site, name), func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(site, path)
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "__pycache__" || filepath.Base(filepath.Dir(path)) == "data" && d.Name() != "s3" && d.Name() != "sts"):
				return fs.SkipDir
			case d.Type().IsRegular():
				files[rel] = path
			}
			return nil
		}))
	}
	return files
}

func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, text)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
