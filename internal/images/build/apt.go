package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/hint"
)

// apt fetches Debian packages into a cache. It asks the machine's apt-get, with
// its sources and keys, but about an empty system: so the answer is all that a
// package needs, not what this machine happens to lack.
type apt struct {
	dir string // of the cache: packages, and what apt keeps for its next start
}

// lists are apt's indexes, by which it knows what there is.
const lists = "/var/lib/apt/lists"

// stamp tells one state of the package indexes from another; "" if there are none.
func (a apt) stamp() string {
	files, _ := filepath.Glob(filepath.Join(lists, "*Release"))
	var b strings.Builder
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintln(&b, filepath.Base(file), info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// fetch brings the packages and all they depend on into the cache and returns
// their files, sorted by name.
func (a apt) fetch(ctx context.Context, packages []string) ([]string, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, hint.New("images are built from Debian packages, and there is no apt-get here", "build the image elsewhere and bring it: eksact image load FILE")
	}
	if err := os.MkdirAll(filepath.Join(a.dir, "partial"), 0o755); err != nil {
		return nil, err
	}
	status := filepath.Join(a.dir, "status")
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return nil, err
	}
	install := func(flag, archives string) ([]byte, error) {
		args := []string{"-qq", "-y", "--no-install-recommends",
			"-o", "Dir::State::status=" + status, "-o", "Dir::Cache::archives=" + archives,
			// What it makes of the indexes takes a second, each time it may not keep it, as
			// in Debian's images for containers. Here it may, once.
			"-o", "Dir::Cache::pkgcache=" + filepath.Join(a.dir, "pkgcache.bin"), "-o", "Dir::Cache::srcpkgcache=",
			"-o", "APT::Sandbox::User=root", "-o", "APT::Get::AllowUnauthenticated=false",
			flag, "install"}
		return command(ctx, "apt-get", append(args, packages...)...)
	}
	// What is in the cache already would not be listed.
	nowhere := filepath.Join(a.dir, "none")
	if err := os.MkdirAll(filepath.Join(nowhere, "partial"), 0o755); err != nil {
		return nil, err
	}
	out, err := install("--print-uris", nowhere)
	if err != nil || a.stamp() == "" {
		if _, err := command(ctx, "apt-get", "-qq", "update"); err != nil {
			return nil, fmt.Errorf("fetching the package lists: %w", err)
		}
		if out, err = install("--print-uris", nowhere); err != nil {
			return nil, fmt.Errorf("resolving %s: %w", strings.Join(packages, " "), err)
		}
	}
	wanted := parseURIs(string(out))
	if _, err := install("--download-only", a.dir); err != nil {
		return nil, fmt.Errorf("downloading %d packages: %w", len(wanted), err)
	}
	var files []string
	for _, w := range wanted {
		path := filepath.Join(a.dir, w.file)
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.Size() != w.size {
			return nil, fmt.Errorf("%s has %d bytes, the archive says %d", path, info.Size(), w.size)
		}
		files = append(files, path)
	}
	slices.Sort(files)
	return files, nil
}

// wanted is a package file as `apt-get --print-uris` names it.
type wanted struct {
	file string
	size int64
}

// parseURIs reads lines of the form 'URI' FILE SIZE [CHECKSUM]. apt checks the
// checksums itself when it downloads.
func parseURIs(out string) []wanted {
	var list []wanted
	for line := range strings.Lines(out) {
		var uri string
		var w wanted
		if n, _ := fmt.Sscanf(line, "%s %s %d", &uri, &w.file, &w.size); n == 3 && strings.HasPrefix(uri, "'") && filepath.Base(w.file) == w.file {
			list = append(list, w)
		}
	}
	return list
}

// unpack adds the files of a package to f.
func unpack(ctx context.Context, f Files, deb string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := f.Package(out)
	out.Close()
	if err := errors.Join(failed, cmd.Wait()); failed != nil || err != nil {
		return fmt.Errorf("unpacking %s: %w: %s", filepath.Base(deb), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// command runs a program and returns its standard output; an error carries the
// last line it complained with.
func command(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return out, fmt.Errorf("%s: %w: %s", name, err, lines[len(lines)-1])
	}
	return out, nil
}
