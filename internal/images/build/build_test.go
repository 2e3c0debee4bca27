package build

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/eksact/eksact/internal/images"
)

// listed reads a layer back: name → header, in the order they come.
func listed(t *testing.T, l v1.Layer) (names []string, byName map[string]*tar.Header, data map[string]string) {
	t.Helper()
	rc, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	byName, data = map[string]*tar.Header{}, map[string]string{}
	r := tar.NewReader(rc)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return names, byName, data
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		names = append(names, name)
		byName[name], data[name] = h, string(raw)
	}
}

// pkg is a package's tar with the given entries.
func pkg(t *testing.T, headers ...tar.Header) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		body := h.Uname // the tests' own use of the field
		h.Uname, h.Size = "", int64(len(body))
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1700000000, 0)
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return &b
}

func TestPackages(t *testing.T) {
	f := Files{}
	for _, p := range []io.Reader{
		pkg(t,
			tar.Header{Name: "./", Typeflag: tar.TypeDir},
			tar.Header{Name: "./bin/", Typeflag: tar.TypeDir},
			tar.Header{Name: "./bin/tool", Uname: "program"},
			tar.Header{Name: "./bin/twin", Typeflag: tar.TypeLink, Linkname: "./bin/tool"},
			tar.Header{Name: "./usr/share/doc/tool/copyright", Uname: "text"},
			tar.Header{Name: "./usr/share/man/man1/tool.1.gz", Uname: "text"},
			tar.Header{Name: "./etc/tool/", Typeflag: tar.TypeDir, Mode: 0o750, Gid: 4},
			tar.Header{Name: "./usr/share/base-passwd/passwd.master", Uname: "root:x:0:0::/root:/bin/bash\n"},
			tar.Header{Name: "./usr/bin/mawk", Uname: "awk"},
			tar.Header{Name: "./usr/bin/su", Uname: "su", Mode: 0o4755}),
		pkg(t,
			tar.Header{Name: "./etc/tool/", Typeflag: tar.TypeDir, Mode: 0o700},
			tar.Header{Name: "./usr/lib/x.so", Typeflag: tar.TypeSymlink, Linkname: "x.so.1"},
			tar.Header{Name: "./usr/share/ca-certificates/b.crt", Uname: "BBB\n"},
			tar.Header{Name: "./usr/share/ca-certificates/a.crt", Uname: "AAA"}),
	} {
		if err := f.Package(p); err != nil {
			t.Fatal(err)
		}
	}
	f.Tidy()
	f.File("/bin/mine", 0o755, []byte("mine")) // /bin is a link by now
	l, err := newLayer(f)
	if err != nil {
		t.Fatal(err)
	}
	names, headers, data := listed(t, l)
	for name, want := range map[string]string{
		"usr/bin/tool": "program", "usr/bin/mine": "mine", "etc/passwd": "root:x:0:0::/root:/bin/bash\n",
		"etc/ssl/certs/ca-certificates.crt": "AAA\nBBB\n",
	} {
		if data[name] != want {
			t.Errorf("/%s holds %q, want %q", name, data[name], want)
		}
	}
	for name, want := range map[string]string{
		"bin": "usr/bin", "lib": "usr/lib", "usr/bin/awk": "mawk", "usr/bin/twin": "usr/bin/tool", "usr/lib/x.so": "x.so.1",
	} {
		if h := headers[name]; h == nil || h.Linkname != want {
			t.Errorf("/%s is %+v, want a link to %s", name, h, want)
		}
	}
	for _, name := range []string{"usr/share/doc", "usr/share/man", "sbin", "bin/tool", "bin/mine"} {
		if headers[name] != nil {
			t.Errorf("/%s is in the layer", name)
		}
	}
	if h := headers["etc/tool"]; h.Mode&0o7777 != 0o750 || h.Gid != 4 {
		t.Errorf("/etc/tool is %o, group %d: want the first package's", h.Mode, h.Gid)
	}
	if h := headers["usr/bin/su"]; h.Mode&0o7777 != 0o4755 {
		t.Errorf("/usr/bin/su has mode %o", h.Mode)
	}
	if h := headers["tmp"]; h == nil || h.Mode&0o7777 != 0o1777 {
		t.Errorf("/tmp is %+v", h)
	}
	// A reader that goes from front to back must always have seen the parent,
	// and the target of a hard link.
	seen := map[string]bool{".": true}
	for _, name := range names {
		if !seen[filepath.Dir(name)] {
			t.Errorf("/%s comes before its directory", name)
		}
		if h := headers[name]; h.Typeflag == tar.TypeLink && !seen[h.Linkname] {
			t.Errorf("/%s comes before what it is a link to", name)
		}
		seen[name] = true
	}
}

func TestPathsStayInside(t *testing.T) {
	f := Files{}
	if err := f.Package(pkg(t, tar.Header{Name: "../../evil", Uname: "x"})); err != nil {
		t.Fatal(err)
	}
	f.File("/../../also", 0o644, nil)
	for name := range f {
		if strings.Contains(name, "..") || strings.HasPrefix(name, "/") {
			t.Errorf("the layer has %q", name)
		}
	}
	if !f.Has("evil") || !f.Has("also") {
		t.Errorf("files: %v", f)
	}
}

func TestDevicesRefused(t *testing.T) {
	if err := (Files{}).Package(pkg(t, tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock})); err == nil {
		t.Error("a package with a block device was taken")
	}
}

func TestSystem(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"pause", "coredns", "metrics-server"} {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("program "+n), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	first, err := System(dir, "arm64")
	if err != nil {
		t.Fatal(err)
	}
	second, err := System(dir, "arm64")
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range first {
		consistent(t, n.Image)
		if full, err := images.Normalize(n.Name); err != nil || full != n.Name {
			t.Errorf("name %s, full %s, %v", n.Name, full, err)
		}
		a, _ := n.Image.Digest()
		b, _ := second[i].Image.Digest()
		if a != b {
			t.Errorf("%s: built twice it is %s and %s", n.Name, a, b)
		}
		c, err := n.Image.ConfigFile()
		if err != nil || c.Architecture != "arm64" || c.OS != "linux" || len(c.Config.Entrypoint) != 1 {
			t.Errorf("%s: configuration %+v, %v", n.Name, c, err)
		}
		layers, _ := n.Image.Layers()
		_, headers, data := listed(t, layers[0])
		program := strings.TrimPrefix(c.Config.Entrypoint[0], "/")
		if headers[program] == nil || headers[program].Mode&0o111 == 0 || !strings.HasPrefix(data[program], "program ") {
			t.Errorf("%s: %s is %+v", n.Name, program, headers[program])
		}
	}
	if _, err := System(t.TempDir(), "amd64"); err == nil {
		t.Error("images were made of programs that are not there")
	}
}

// consistent computes the digests of an image's layer anew.
func consistent(t *testing.T, img v1.Image) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct {
		open func() (io.ReadCloser, error)
		want v1.Hash
	}{
		"digest":  {layers[0].Compressed, digest},
		"diff ID": {layers[0].Uncompressed, c.RootFS.DiffIDs[0]},
	} {
		rc, err := tc.open()
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := v1.SHA256(rc)
		rc.Close()
		if err != nil || got != tc.want {
			t.Errorf("%s is %s (%v), the image says %s", what, got, err, tc.want)
		}
	}
}

func TestSpecErrors(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"name: ''":                                          "image name",
		"name: x\npackges: [a]":                             "packges",
		"name: x\npackages: ['--option']":                   "Debian package",
		"name: x\npackages: ['a=1']":                        "Debian package",
		"name: x\nfiles: [{path: rel, content: a}]":         "absolute",
		"name: x\nfiles: [{path: /a}]":                      "either",
		"name: x\nfiles: [{path: /a, from: b, content: c}]": "either",
		"name: x\napplets: {names: [a]}":                    "applets",
		"name: x\naliases: ['A B']":                         "image name",
	} {
		path := filepath.Join(dir, "spec.yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := ReadSpec(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %+v, %v; want an error about %q", text, s, err, want)
		}
	}
}

// TestBuildLocal builds from local files alone: no apt, no network, any user.
func TestBuildLocal(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("page.html", "hello")
	write("spec.yaml", `
name: team/web:v1
aliases: [web]
files:
- {path: /www/index.html, from: page.html}
- {path: /run.sh, content: "#!/bin/sh\n", mode: 493}
links: {/index.html: www/index.html}
entrypoint: [/run.sh]
cmd: [-v]
env: [A=b]
ports: [80/tcp]
user: "1000"
workdir: /www
stopSignal: SIGQUIT
`)
	s, err := ReadSpec(filepath.Join(dir, "spec.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b := Builder{Cache: filepath.Join(dir, "cache")}
	archive, err := b.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Build(t.Context(), s)
	if err != nil || again != archive {
		t.Errorf("built again: %s, %v; want %s", again, err, archive)
	}
	store, err := images.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := store.Load(archive)
	if err != nil || len(loaded) != 2 || loaded[0].Name != "docker.io/library/web:latest" || loaded[1].Name != "docker.io/team/web:v1" || loaded[0].Digest != loaded[1].Digest {
		t.Fatalf("loaded %+v, %v", loaded, err)
	}
	write("page.html", "changed")
	other, err := b.Build(t.Context(), s)
	if err != nil || other == archive {
		t.Errorf("after a change of a file: %s, %v; want another archive", other, err)
	}
}

func TestParseURIs(t *testing.T) {
	got := parseURIs(`'http://deb.debian.org/a/libc6_2.36-9%2bdeb12u14_amd64.deb' libc6_2.36-9+deb12u14_amd64.deb 2759320 MD5Sum:8d98
'http://deb.debian.org/b/nginx_1_all.deb' nginx_1_all.deb 81844 
W: a warning
'http://x/y' ../evil 1
`)
	want := []wanted{{"libc6_2.36-9+deb12u14_amd64.deb", 2759320}, {"nginx_1_all.deb", 81844}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestSpecs reads the images that the project's own tests use.
func TestSpecs(t *testing.T) {
	specs, err := filepath.Glob("../../../test/images/*.yaml")
	if err != nil || len(specs) < 2 {
		t.Fatalf("%v, %v", specs, err)
	}
	for _, path := range specs {
		if _, err := ReadSpec(path); err != nil {
			t.Error(err)
		}
	}
}
