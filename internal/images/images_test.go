package images

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/klauspost/compress/zstd"

	"github.com/eksact/eksact/internal/hint"
)

func TestNormalize(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for given, want := range map[string]string{
		"nginx":                      "docker.io/library/nginx:latest",
		"nginx:1.27":                 "docker.io/library/nginx:1.27",
		"docker.io/nginx":            "docker.io/library/nginx:latest",
		"index.docker.io/a/b":        "docker.io/a/b:latest",
		"team/app:v1":                "docker.io/team/app:v1",
		"localhost:5000/x":           "localhost:5000/x:latest",
		"registry.k8s.io/pause:3.10": "registry.k8s.io/pause:3.10",
		"nginx@" + digest:            "docker.io/library/nginx@" + digest,
		"nginx:1@" + digest:          "docker.io/library/nginx@" + digest,
		"Nginx":                      "", "": "", "a b": "", "x:y:z": "",
	} {
		got, err := Normalize(given)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("Normalize(%q) = %q, %v; want %q", given, got, err, want)
		}
	}
	for full, want := range map[string]string{
		"docker.io/library/nginx:latest": "docker.io/library/nginx",
		"localhost:5000/x@" + digest:     "localhost:5000/x",
		"localhost:5000/x":               "localhost:5000/x",
	} {
		if got := Repository(full); got != want {
			t.Errorf("Repository(%q) = %q, want %q", full, got, want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"nginx", "a/b:c", "localhost:5000/x@sha256:ab", "../x", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, given string) {
		full, err := Normalize(given)
		if err != nil {
			return
		}
		if again, err := Normalize(full); err != nil || again != full {
			t.Errorf("Normalize(%q) = %q, which normalizes to %q, %v", given, full, again, err)
		}
	})
}

func image(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(2000, 2)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func store(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// archives writes the image in every form that Load reads.
func archives(t *testing.T, given string, img v1.Image) map[string]string {
	t.Helper()
	dir := t.TempDir()
	full, err := Normalize(given)
	if err != nil {
		t.Fatal(err)
	}
	var oci, docker bytes.Buffer
	if err := WriteArchive(&oci, Named{full, img}); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(given)
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.Write(tag, img, &docker); err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	g := gzip.NewWriter(&zipped)
	_, _ = g.Write(docker.Bytes())
	g.Close()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for form, data := range map[string][]byte{
		"oci": oci.Bytes(), "docker": docker.Bytes(), "docker.gz": zipped.Bytes(), "oci.zst": z.EncodeAll(oci.Bytes(), nil),
	} {
		files[form] = filepath.Join(dir, form)
		if err := os.WriteFile(files[form], data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestLoad(t *testing.T) {
	img := image(t)
	digest, _ := img.Digest()
	for form, path := range archives(t, "team/app:v1", img) {
		t.Run(form, func(t *testing.T) {
			s := store(t)
			loaded, err := s.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded) != 1 || loaded[0].Name != "docker.io/team/app:v1" || loaded[0].Pulled() || loaded[0].Size < 4000 {
				t.Fatalf("loaded %+v", loaded)
			}
			if strings.HasPrefix(form, "oci") && loaded[0].Digest != digest {
				t.Errorf("digest %s, want the image's own %s", loaded[0].Digest, digest)
			}
			for h := range s.reach(loaded[0].Digest, "") {
				if !s.Has(h) {
					t.Errorf("blob %s is missing", h)
				}
			}
			again, err := Open(s.dir) // another process
			if err != nil {
				t.Fatal(err)
			}
			list, err := again.List()
			if err != nil || len(list) != 1 || list[0] != loaded[0] {
				t.Errorf("another process lists %+v, %v", list, err)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	s := store(t)
	dir := t.TempDir()
	good, err := os.ReadFile(archives(t, "app:v1", image(t))["oci"])
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(good)
	changed[700] ^= 1 // within the first blob
	for form, data := range map[string][]byte{
		"text": []byte("hello, this is no archive at all"), "empty": nil, "cut": good[:len(good)/2], "changed": changed,
	} {
		path := filepath.Join(dir, form)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if loaded, err := s.Load(path); err == nil {
			t.Errorf("%s: loaded %v", form, loaded)
		}
	}
	if _, err := s.Load(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("after refusals the store lists %v, %v", list, err)
	}
}

func TestArchiveIsReproducible(t *testing.T) {
	img := image(t)
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := WriteArchive(w, Named{"docker.io/b:1", img}, Named{"docker.io/a:1", img}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same images gave two different archives")
	}
}

// TestRemove removes one of two images that share their layers' blobs, then the other.
func TestRemove(t *testing.T) {
	s, img := store(t), image(t)
	for _, n := range []string{"docker.io/a:1", "docker.io/b:1"} {
		if _, err := s.Add(Named{n, img}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Remove("docker.io/a:1"); err != nil {
		t.Fatal(err)
	}
	b, err := s.Get("docker.io/b:1")
	if err != nil {
		t.Fatal(err)
	}
	for h := range s.reach(b.Digest, "") {
		if !s.Has(h) {
			t.Errorf("removing a took blob %s from b", h)
		}
	}
	if _, err := s.Get("docker.io/a:1"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a after its removal: %v", err)
	}
	if err := s.Remove("docker.io/b:1"); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "blobs", "sha256", "*")); len(left) > 0 {
		t.Errorf("blobs left of no image: %v", left)
	}
	if err := s.Remove("docker.io/b:1"); !errors.Is(err, ErrUnknown) || len(hint.Lines(err)) == 0 {
		t.Errorf("removing what is not there: %v", err)
	}
}

func TestPutChecks(t *testing.T) {
	s := store(t)
	h, _, _ := v1.SHA256(strings.NewReader("right"))
	if err := s.Put(h, strings.NewReader("wrong")); err == nil || s.Has(h) {
		t.Errorf("content with another digest: %v, stored: %v", err, s.Has(h))
	}
	if err := s.Put(h, strings.NewReader("right")); err != nil || !s.Has(h) {
		t.Errorf("right content: %v", err)
	}
	for _, bad := range []v1.Hash{{Algorithm: "sha256", Hex: "../../x"}, {Algorithm: "md5", Hex: "ab"}, {}} {
		if _, err := s.Open(bad); !errors.Is(err, ErrUnknown) {
			t.Errorf("Open(%v): %v", bad, err)
		}
		if err := s.Put(bad, strings.NewReader("x")); err == nil {
			t.Errorf("Put(%v) succeeded", bad)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "blobs", "sha256", ".*")); len(left) > 0 {
		t.Errorf("half-written blobs left: %v", left)
	}
}

// TestWriters lets several Stores on one directory name images at once: none may be lost.
func TestWriters(t *testing.T) {
	dir, img := t.TempDir(), image(t)
	var wg sync.WaitGroup
	for _, n := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			s, err := Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			for _, tag := range []string{"1", "2", "3"} {
				if _, err := s.Add(Named{"docker.io/" + n + ":" + tag, img}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 12 {
		t.Errorf("%d images of 12, %v", len(list), err)
	}
}

func TestTagChecked(t *testing.T) {
	s, img := store(t), image(t)
	i, err := s.Add(Named{"docker.io/a:1", img})
	if err != nil {
		t.Fatal(err)
	}
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := s.Tag("docker.io/a:1", i.Digest, i.MediaType, when); err != nil {
		t.Fatal(err)
	}
	if i, err = s.Get("docker.io/a:1"); err != nil || !i.Pulled() || !i.Checked.Equal(when) {
		t.Errorf("image %+v, %v", i, err)
	}
	unknown := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
	if err := s.Tag("docker.io/a:2", unknown, i.MediaType, when); !errors.Is(err, ErrUnknown) {
		t.Errorf("naming a manifest that is not here: %v", err)
	}
}
