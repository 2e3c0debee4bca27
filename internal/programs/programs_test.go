package programs

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/eksact/eksact/internal/hint"
)

// fill makes a directory as a build leaves it, with small stand-ins.
func fill(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range Required {
		write(t, filepath.Join(dir, name), "#!/bin/sh\necho "+name+"\n", 0o755)
	}
	write(t, filepath.Join(dir, "images", "pause.tar"), "pause", 0o644)
	write(t, filepath.Join(dir, "images", "coredns.tar"), "coredns", 0o644)
	if err := linkAll(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func packed(t *testing.T) bundle {
	t.Helper()
	var b bytes.Buffer
	digest, err := Pack(&b, fill(t), append([]string{"images/pause.tar", "images/coredns.tar"}, Required...))
	if err != nil {
		t.Fatal(err)
	}
	return bundle{b.String(), digest + "\n"}
}

func TestBeside(t *testing.T) {
	dir := fill(t)
	t.Setenv(Variable, dir)
	set, err := Locate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if set.Dir() != dir || set.Path("kubelet") != filepath.Join(dir, "kubelet") {
		t.Errorf("Dir %s, Path %s, want them in %s", set.Dir(), set.Path("kubelet"), dir)
	}
	if got := set.Images(); len(got) != 2 || filepath.Base(got[0]) != "coredns.tar" {
		t.Errorf("Images: %v", got)
	}

	if err := os.Remove(filepath.Join(dir, "kubelet")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "kubectl"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Locate(t.TempDir())
	if err == nil || !strings.HasSuffix(err.Error(), ": kubelet, kubectl") || len(hint.Lines(err)) == 0 {
		t.Errorf("Locate with kubelet and kubectl missing: %v, hints %q", err, hint.Lines(err))
	}
}

func TestPackIsReproducible(t *testing.T) {
	a, b := packed(t), packed(t)
	if a.archive != b.archive || a.digest != b.digest {
		t.Error("the same files gave two different payloads")
	}
}

func TestUnpack(t *testing.T) {
	state, b := t.TempDir(), packed(t)
	set, err := unpack(state, b)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(state, "programs", b.digest[:16]); set.Dir() != want {
		t.Errorf("unpacked into %s, want %s", set.Dir(), want)
	}
	if _, err := beside(set.Dir()); err != nil {
		t.Error(err)
	}
	out, err := exec.Command(set.Path("kubelet")).Output()
	if err != nil || string(out) != "eksact-kube\n" {
		t.Errorf("running kubelet: %q, %v", out, err)
	}
	if got := len(set.Images()); got != 2 {
		t.Errorf("%d images, want 2", got)
	}

	before := modified(t, set.Path("kubectl"))
	if _, err := unpack(state, b); err != nil {
		t.Fatal(err)
	}
	if modified(t, set.Path("kubectl")) != before {
		t.Error("an intact set was unpacked again")
	}
	leftovers(t, state)
}

// TestUnpackMends damages the unpacked set in each way that a start must notice.
func TestUnpackMends(t *testing.T) {
	b := packed(t)
	for name, damage := range map[string]func(Set) error{
		"truncated":     func(s Set) error { return os.Truncate(s.Path("eksact-node"), 3) },
		"removed":       func(s Set) error { return os.Remove(s.Path("kubectl")) },
		"image removed": func(s Set) error { return os.Remove(s.Images()[0]) },
		"link removed":  func(s Set) error { return os.Remove(s.Path("etcd")) },
		"shim removed":  func(s Set) error { return os.Remove(s.Path(shim)) },
		"shim a symlink": func(s Set) error {
			return errors.Join(os.Remove(s.Path(shim)), os.Symlink("eksact-node", s.Path(shim)))
		},
		"no manifest": func(s Set) error { return os.Remove(s.Path(manifestName)) },
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			set, err := unpack(state, b)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(set); err != nil {
				t.Fatal(err)
			}
			if set, err = unpack(state, b); err != nil {
				t.Fatal(err)
			}
			if !intact(set.Dir()) {
				t.Error("still damaged")
			}
			if _, err := beside(set.Dir()); err != nil {
				t.Error(err)
			}
			leftovers(t, state)
		})
	}
}

func TestUnpackAtOnce(t *testing.T) {
	state, b := t.TempDir(), packed(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			set, err := unpack(state, b)
			if err != nil {
				t.Error(err)
			} else if !intact(set.Dir()) {
				t.Error("unpack returned before all was there")
			}
		})
	}
	wg.Wait()
	leftovers(t, state)
}

func TestUnpackRefuses(t *testing.T) {
	good := packed(t)
	evil := func(manifest string, entries map[string]string) bundle {
		var buf bytes.Buffer
		z, _ := zstd.NewWriter(&buf)
		w := tar.NewWriter(z)
		put := func(name, text string) {
			_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644, Typeflag: tar.TypeReg})
			_, _ = w.Write([]byte(text))
		}
		put(manifestName, manifest)
		for name, text := range entries {
			put(name, text)
		}
		w.Close()
		z.Close()
		sum := sha256.Sum256(buf.Bytes())
		return bundle{buf.String(), hex.EncodeToString(sum[:])}
	}
	zeros := strings.Repeat("0", 64)
	for name, b := range map[string]bundle{
		"changed byte":    {good.archive[:len(good.archive)-1] + "x", good.digest},
		"no digest":       {good.archive, ""},
		"wrong content":   evil(zeros+" 1 a\n", map[string]string{"a": "x"}),
		"outside":         evil(zeros+" 1 ../a\n", map[string]string{"../a": "x"}),
		"not in manifest": evil("", map[string]string{"a": "x"}),
		"missing":         evil(zeros+" 1 a\n", nil),
		"bad manifest":    evil("hello\n", nil),
	} {
		state := t.TempDir()
		if set, err := unpack(state, b); err == nil {
			t.Errorf("%s: unpacked into %s", name, set.Dir())
		}
		leftovers(t, state)
	}
}

func TestPrune(t *testing.T) {
	state, b := t.TempDir(), packed(t)
	set, err := unpack(state, b)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(state, "programs", "0123456789abcdef")
	used := filepath.Join(state, "programs", "fedcba9876543210")
	write(t, filepath.Join(old, "eksact-kube"), "x", 0o755)
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(used, "sleep"), string(data), 0o755)
	cmd := exec.Command(filepath.Join(used, "sleep"), "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()

	removed, err := Prune(state, set)
	if err != nil || len(removed) != 1 || removed[0] != old {
		t.Errorf("removed %v (%v), want only %s", removed, err, old)
	}
	if !intact(set.Dir()) || !isDir(used) || isDir(old) {
		t.Error("Prune removed what is in use, or kept what is not")
	}
	if _, err := Prune(t.TempDir(), set); err != nil {
		t.Errorf("Prune of an empty state: %v", err)
	}
}

// leftovers fails if unpacking left a half-made directory behind.
func leftovers(t *testing.T, state string) {
	t.Helper()
	half, _ := filepath.Glob(filepath.Join(state, "programs", ".new-*"))
	if len(half) > 0 {
		t.Errorf("left behind: %v", half)
	}
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}
