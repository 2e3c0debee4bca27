package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/images"
)

// Spec says what is in an image. As YAML:
//
//	name: nginx
//	packages: [nginx-light]
//	files:
//	- {path: /var/www/html/index.html, from: index.html}
//	- {path: /etc/motd, content: "hello\n", mode: 0644}
//	links:
//	  /var/log/nginx/access.log: /dev/stdout
//	cmd: [nginx, -g, daemon off;]
//	ports: [80/tcp]
type Spec struct {
	Name       string            `json:"name"`                 // image name, tag "latest" if without
	Aliases    []string          `json:"aliases,omitempty"`    // further names of the same image
	Packages   []string          `json:"packages,omitempty"`   // Debian packages; what they depend on comes too
	Bare       bool              `json:"bare,omitempty"`       // without the packages every Debian has (base)
	Files      []File            `json:"files,omitempty"`      // added last, over what packages hold
	Links      map[string]string `json:"links,omitempty"`      // symbolic links: path → target
	Applets    Applets           `json:"applets,omitempty"`    // one program under many names
	Entrypoint []string          `json:"entrypoint,omitempty"` // as in a Dockerfile, and so on below
	Cmd        []string          `json:"cmd,omitempty"`
	Env        []string          `json:"env,omitempty"`
	Ports      []string          `json:"ports,omitempty"`
	User       string            `json:"user,omitempty"`
	WorkDir    string            `json:"workdir,omitempty"`
	StopSignal string            `json:"stopSignal,omitempty"`

	dir string // where relative paths of Files start
}

// File is a file put into an image.
type File struct {
	Path    string `json:"path"`              // in the image
	From    string `json:"from,omitempty"`    // local file, relative to the spec's
	Content string `json:"content,omitempty"` // or its contents
	Mode    uint32 `json:"mode,omitempty"`    // permission bits; 0644 if absent
}

// Applets makes links to one program under its many names, as BusyBox has them.
type Applets struct {
	Program string   `json:"program,omitempty"` // absolute path in the image
	Dir     string   `json:"dir,omitempty"`     // where the links go
	Names   []string `json:"names,omitempty"`
}

// ReadSpec reads a spec file. A field that doesn't exist is an error.
func ReadSpec(path string) (Spec, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, err
	}
	var s Spec
	if err := yaml.UnmarshalStrict(raw, &s); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	s.dir = filepath.Dir(path)
	if err := s.check(); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s Spec) check() error {
	for _, n := range append([]string{s.Name}, s.Aliases...) {
		if _, err := images.Normalize(n); err != nil {
			return err
		}
	}
	for _, p := range s.Packages {
		if p == "" || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" || strings.HasPrefix(p, "-") {
			return fmt.Errorf("%q is not the name of a Debian package", p)
		}
	}
	for _, f := range s.Files {
		if !strings.HasPrefix(f.Path, "/") {
			return fmt.Errorf("file %q: the path in the image must be absolute", f.Path)
		}
		if (f.From == "") == (f.Content == "") {
			return fmt.Errorf("file %s: give either from or content", f.Path)
		}
		if f.Mode > 0o7777 {
			return fmt.Errorf("file %s: mode %o is out of range", f.Path, f.Mode)
		}
	}
	if (s.Applets.Program == "") != (len(s.Applets.Names) == 0) {
		return fmt.Errorf("applets need both a program and names")
	}
	return nil
}

// source is the local file that f comes from.
func (s Spec) source(f File) string {
	if filepath.IsAbs(f.From) {
		return f.From
	}
	return filepath.Join(s.dir, f.From)
}

// fingerprint is a digest of all the spec says, local files included.
func (s Spec) fingerprint() (string, error) {
	h := newHasher()
	raw, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	h.Write(raw)
	for _, f := range s.Files {
		if f.From == "" {
			continue
		}
		data, err := os.ReadFile(s.source(f))
		if err != nil {
			return "", err
		}
		sum, _, err := v1.SHA256(bytes.NewReader(data))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, f.Path, sum)
	}
	return h.hash().Hex, nil
}

// config is the image's run-time configuration.
func (s Spec) config() v1.Config {
	c := v1.Config{
		Entrypoint: s.Entrypoint, Cmd: s.Cmd, User: s.User, WorkingDir: s.WorkDir, StopSignal: s.StopSignal,
		Env: append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, s.Env...),
	}
	for _, p := range s.Ports {
		if c.ExposedPorts == nil {
			c.ExposedPorts = map[string]struct{}{}
		}
		c.ExposedPorts[p] = struct{}{}
	}
	return c
}

// apply puts the spec's own files and links over what packages brought.
func (s Spec) apply(f Files) error {
	for _, name := range s.Applets.Names {
		if link := s.Applets.Dir + "/" + name; !f.Has(link) {
			f.Link(link, s.Applets.Program)
		}
	}
	for name, target := range s.Links {
		f.Link(name, target)
	}
	for _, file := range s.Files {
		mode := int64(file.Mode)
		if mode == 0 {
			mode = 0o644
		}
		if file.From == "" {
			f.File(file.Path, mode, []byte(file.Content))
		} else if err := f.Local(file.Path, mode, s.source(file)); err != nil {
			return err
		}
	}
	return nil
}
