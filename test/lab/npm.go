package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Modules is a folder with the modules that the package-lock.json in dir names, in
// node_modules, and with dir's own files; "" without npm, or where its registry can't be
// reached, which is logged. It is kept in the user's cache, for tests to come.
func Modules(t testing.TB, dir string) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		return ""
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	at := filepath.Join(cache, "eksact-test", filepath.Base(dir)+"-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(at, f.Name()), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	whole := filepath.Join(at, ".whole")
	if _, err := os.Stat(whole); err == nil {
		return at
	}
	cmd := exec.Command("npm", "ci", "--silent", "--no-audit", "--no-fund")
	cmd.Dir = at
	if out, err := cmd.CombinedOutput(); err != nil {
		if exec.Command("npm", "ping").Run() != nil {
			t.Logf("npm's registry can't be reached: %s: %v\n%s", cmd, err, out)
			return ""
		}
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	if err := os.WriteFile(whole, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return at
}
