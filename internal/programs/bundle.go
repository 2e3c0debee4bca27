package programs

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
	"github.com/klauspost/compress/zstd"

	"github.com/eksact/eksact/internal/hint"
)

// bundle is a payload: a tar compressed with zstd whose first entry is
// MANIFEST, and the SHA-256 of the archive in hex.
type bundle struct {
	archive string
	digest  string
}

const manifestName = "MANIFEST"

// file is one line of a manifest: "SHA256 SIZE PATH".
type file struct {
	path   string // slash-separated, relative
	size   int64  // bytes
	digest string // SHA-256, hex
}

// Pack writes the payload of the given files of dir (paths relative to it) to w
// and returns its digest. The same files give the same bytes.
func Pack(w io.Writer, dir string, paths []string) (digest string, err error) {
	paths = slices.Clone(paths)
	slices.Sort(paths)
	var manifest strings.Builder
	for _, path := range paths {
		f, err := describe(dir, path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&manifest, "%s %d %s\n", f.digest, f.size, f.path)
	}

	hash := sha256.New()
	z, err := zstd.NewWriter(io.MultiWriter(w, hash),
		zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return "", err
	}
	t := tar.NewWriter(z)
	header := func(name string, size, mode int64) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: size, Mode: mode, Format: tar.FormatUSTAR}
	}
	if err := t.WriteHeader(header(manifestName, int64(manifest.Len()), 0o644)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(t, manifest.String()); err != nil {
		return "", err
	}
	for _, path := range paths {
		if err := addFile(t, header, dir, path); err != nil {
			return "", err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func describe(dir, path string) (file, error) {
	f, err := os.Open(filepath.Join(dir, path))
	if err != nil {
		return file{}, err
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	return file{path, size, hex.EncodeToString(hash.Sum(nil))}, err
}

func addFile(t *tar.Writer, header func(string, int64, int64) *tar.Header, dir, path string) error {
	f, err := os.Open(filepath.Join(dir, path))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(header(path, info.Size(), int64(info.Mode().Perm()))); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// unpack makes the Set of bundle b under stateDir, or finds it made. A made one
// is used as it is if every file still has its size; otherwise it is made anew.
func unpack(stateDir string, b bundle) (Set, error) {
	digest := strings.TrimSpace(b.digest)
	if len(digest) != 64 {
		return Set{}, errors.New("this release is damaged: its payload has no digest")
	}
	root := filepath.Join(stateDir, "programs")
	dir := filepath.Join(root, digest[:16])
	if intact(dir) {
		return Set{dir}, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return Set{}, hint.Wrap(fmt.Errorf("unpacking the programs: %w", err), "run as root, or give --state-dir a directory of yours")
	}
	lock := flock.New(filepath.Join(root, ".lock"))
	if err := lock.Lock(); err != nil {
		return Set{}, fmt.Errorf("unpacking the programs: locking %s: %w", lock.Path(), err)
	}
	defer lock.Unlock()
	if intact(dir) { // another process was quicker
		return Set{dir}, nil
	}
	if err := unpackInto(root, dir, b.archive, digest); err != nil {
		return Set{}, fmt.Errorf("unpacking the programs into %s: %w", dir, err)
	}
	return Set{dir}, nil
}

// unpackInto replaces dir by the archive's contents, through a directory beside it.
func unpackInto(root, dir, archive, digest string) (err error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, struct{ io.Reader }{strings.NewReader(archive)}); err != nil {
		return err // the wrapping hides WriterTo, which would copy the archive as one piece
	}
	if hex.EncodeToString(hash.Sum(nil)) != digest {
		return errors.New("the payload does not have the digest it was released with")
	}
	stage, err := os.MkdirTemp(root, ".new-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(stage)
		}
	}()
	if err := os.Chmod(stage, 0o755); err != nil {
		return err
	}
	if err := extract(stage, strings.NewReader(archive)); err != nil {
		return err
	}
	if err := linkAll(stage); err != nil {
		return err
	}
	if err := syncDir(stage); err != nil {
		return err
	}
	if isDir(dir) { // an earlier one, damaged
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.Rename(stage, dir); err != nil {
		return err
	}
	return syncDir(root)
}

// extract writes the files of a payload below dir and checks each against the
// manifest. Anything not in the manifest is an error, and so is anything missing.
func extract(dir string, archive io.Reader) error {
	z, err := zstd.NewReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	t := tar.NewReader(z)
	first, err := t.Next()
	if err != nil {
		return err
	}
	if first.Name != manifestName || first.Size > 1<<20 {
		return fmt.Errorf("the payload starts with %q instead of its manifest", first.Name)
	}
	text, err := io.ReadAll(t)
	if err != nil {
		return err
	}
	files, err := parseManifest(string(text))
	if err != nil {
		return err
	}
	for _, f := range files {
		h, err := t.Next()
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		if h.Name != f.path || h.Typeflag != tar.TypeReg {
			return fmt.Errorf("the payload holds %q where its manifest says %q", h.Name, f.path)
		}
		if err := writeFile(dir, f, h.FileInfo().Mode().Perm(), t); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if _, err := t.Next(); err != io.EOF {
		return fmt.Errorf("the payload holds more than its manifest says (%v)", err)
	}
	// Written last: its presence says that all else is there.
	return writeSynced(filepath.Join(dir, manifestName), 0o644, strings.NewReader(string(text)))
}

func writeFile(dir string, f file, mode os.FileMode, r io.Reader) error {
	path := filepath.Join(dir, filepath.FromSlash(f.path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	hash := sha256.New()
	if err := writeSynced(path, mode, io.TeeReader(r, hash)); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != f.digest {
		return fmt.Errorf("has digest %s, the manifest says %s", got, f.digest)
	}
	return nil
}

func writeSynced(path string, mode os.FileMode, r io.Reader) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Sync(), w.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func parseManifest(text string) ([]file, error) {
	var files []file
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		fields := strings.SplitN(lines.Text(), " ", 3)
		if len(fields) != 3 || len(fields[0]) != 64 || !filepath.IsLocal(fields[2]) {
			return nil, fmt.Errorf("manifest line %q is not of the form DIGEST SIZE PATH", lines.Text())
		}
		size, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("manifest line %q has no size", lines.Text())
		}
		files = append(files, file{fields[2], size, fields[0]})
	}
	return files, lines.Err()
}

// intact tells whether dir holds all files of its manifest at their sizes. It
// reads no contents: it runs at every start.
func intact(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return false
	}
	files, err := parseManifest(string(text))
	if err != nil {
		return false
	}
	for _, f := range files {
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(f.path)))
		if err != nil || !info.Mode().IsRegular() || info.Size() != f.size {
			return false
		}
	}
	for program, names := range Links {
		for _, name := range names {
			if !linked(dir, program, name) {
				return false
			}
		}
	}
	return true
}
