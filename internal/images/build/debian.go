package build

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// base are the packages that a program on Debian may expect to be there: users,
// a shell, the usual directories, name lookup.
var base = []string{"base-files", "base-passwd", "dash", "libc-bin", "coreutils", "grep", "sed", "hostname"}

// dropped are directories of packages that nothing in a container reads.
var dropped = []string{"usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian", "usr/share/bug", "usr/share/menu", "usr/share/doc-base"}

// merged are the directories that moved into /usr: /bin is a link to /usr/bin.
// Packages of Debian 12 still ship files under the old names, and the link is
// made by no package but by the installer (Debian wiki, UsrMerge).
var merged = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// Package adds the files of one Debian package, given as the tar that
// `dpkg-deb --fsys-tarfile` writes.
func (f Files) Package(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := usrMerged(clean(h.Name))
		if name == "." || slices.Contains(merged, name) || isDropped(name) {
			continue
		}
		if err := f.add(name, h, t); err != nil {
			return fmt.Errorf("/%s: %w", name, err)
		}
	}
}

func (f Files) add(name string, h *tar.Header, r io.Reader) error {
	e := &entry{header: tar.Header{
		Name: name, Typeflag: h.Typeflag, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid,
		Linkname: h.Linkname, ModTime: h.ModTime.Truncate(time.Second), Devmajor: h.Devmajor, Devminor: h.Devminor,
	}}
	switch h.Typeflag {
	case tar.TypeDir:
		if old := f[name]; old != nil {
			// The first package that has it decides, unless that was only implied
			// by a file; or it is a link to a directory, which dpkg keeps.
			if old.header.Typeflag != tar.TypeDir || !old.header.ModTime.IsZero() {
				return nil
			}
		}
		e.header.Name += "/"
	case tar.TypeReg:
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		e.data, e.header.Size = data, int64(len(data))
	case tar.TypeLink:
		e.header.Linkname = usrMerged(clean(h.Linkname))
	case tar.TypeSymlink:
	default:
		return fmt.Errorf("entries of type %q are not supported", h.Typeflag)
	}
	f.parents(name)
	f[name] = e
	return nil
}

// usrMerged moves a path under /usr if its first part moved there.
func usrMerged(name string) string {
	first, _, _ := strings.Cut(name, "/")
	if first != name && slices.Contains(merged, first) {
		return "usr/" + name
	}
	return name
}

func isDropped(name string) bool {
	return slices.ContainsFunc(dropped, func(d string) bool { return name == d || strings.HasPrefix(name, d+"/") })
}

// Tidy does what the packages' scripts would have done and containers need.
func (f Files) Tidy() {
	for _, dir := range merged {
		if f.Has("usr/" + dir) {
			f.Link(dir, "usr/"+dir)
		}
	}
	copies := map[string]string{ // postinst of base-passwd, libc-bin, base-files
		"usr/share/base-passwd/passwd.master": "etc/passwd",
		"usr/share/base-passwd/group.master":  "etc/group",
		"usr/share/libc-bin/nsswitch.conf":    "etc/nsswitch.conf",
		"usr/share/base-files/profile":        "etc/profile",
		"usr/share/base-files/dot.bashrc":     "root/.bashrc",
		"usr/share/base-files/dot.profile":    "root/.profile",
		"usr/share/nginx/html/index.html":     "var/www/html/index.nginx-debian.html", // nginx-common
	}
	for from, to := range copies {
		if e := f[from]; e != nil && !f.Has(to) {
			f.File(to, 0o644, e.data)
		}
	}
	links := [][3]string{ // what must be there, the link, its target
		{"usr/bin/mawk", "usr/bin/awk", "mawk"},
		{"usr/bin/gawk", "usr/bin/awk", "gawk"},
		{"usr/bin/vim.tiny", "usr/bin/vi", "vim.tiny"},
		{"bin/nc.openbsd", "usr/bin/nc", "nc.openbsd"},
		{"usr/bin/nc.openbsd", "usr/bin/nc", "nc.openbsd"},
		{"usr/bin/pager", "usr/bin/pager", "less"},
		{"etc/nginx/sites-available/default", "etc/nginx/sites-enabled/default", "/etc/nginx/sites-available/default"},
	}
	for _, l := range links {
		if f.Has(l[0]) && !f.Has(l[1]) {
			f.Link(l[1], l[2])
		}
	}
	if !f.Has("tmp") {
		f.Dir("tmp", 0o1777)
	}
	f.certificates()
}

// certificates writes the bundle that OpenSSL and all that use it read, from
// the single ones of package ca-certificates, all of which are trusted, as
// update-ca-certificates does when nothing is deselected.
func (f Files) certificates() {
	var names []string
	for name := range f {
		if strings.HasPrefix(name, "usr/share/ca-certificates/") && path.Ext(name) == ".crt" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	var bundle bytes.Buffer
	for _, name := range names {
		bundle.Write(bytes.TrimRight(f[name].data, "\n"))
		bundle.WriteByte('\n')
	}
	f.File("etc/ssl/certs/ca-certificates.crt", 0o644, bundle.Bytes())
}
