package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// entry is one file, directory or link of a layer.
type entry struct {
	header tar.Header
	data   []byte // of a regular file, unless from is set
	from   string // or the path of a local file that holds it
}

// Files is what a layer will hold, by clean path without a leading slash.
type Files map[string]*entry

// File adds a regular file.
func (f Files) File(name string, mode int64, data []byte) {
	name = f.place(name)
	f.parents(name)
	f[name] = &entry{header: tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(data))}, data: data}
}

// Local adds a regular file with the contents of a local one, read when the
// layer is written.
func (f Files) Local(name string, mode int64, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", from)
	}
	name = f.place(name)
	f.parents(name)
	f[name] = &entry{header: tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: info.Size()}, from: from}
	return nil
}

// Link adds a symbolic link.
func (f Files) Link(name, target string) {
	name = f.place(name)
	f.parents(name)
	f[name] = &entry{header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}}
}

// Dir adds a directory, or sets the mode of one that is there.
func (f Files) Dir(name string, mode int64) {
	name = f.place(name)
	if name == "." {
		return
	}
	f.parents(name)
	f[name] = &entry{header: tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: mode}}
}

// Has tells whether there is an entry of that name.
func (f Files) Has(name string) bool { return f[f.place(name)] != nil }

func (f Files) parents(name string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if f[dir] == nil {
			f[dir] = &entry{header: tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}}
		}
	}
}

// place is where a path leads: through the link that a top directory may be,
// so that /bin/sh is put into /usr/bin where /bin is a link to that.
func (f Files) place(name string) string {
	name = clean(name)
	first, rest, below := strings.Cut(name, "/")
	if e := f[first]; below && e != nil && e.header.Typeflag == tar.TypeSymlink {
		return clean(e.header.Linkname + "/" + rest)
	}
	return name
}

// clean gives the form in which names are kept; it never leads out of the layer.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

// write writes the layer as a tar, sorted by name, so that every directory
// comes before what it holds and hard links after what they point to.
func (f Files) write(w io.Writer) error {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if la, lb := f[a].header.Typeflag == tar.TypeLink, f[b].header.Typeflag == tar.TypeLink; la != lb {
			if la {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	t := tar.NewWriter(w)
	for _, name := range names {
		if err := f[name].write(t); err != nil {
			return fmt.Errorf("/%s: %w", name, err)
		}
	}
	return t.Close()
}

func (e *entry) write(t *tar.Writer) error {
	h := e.header
	h.AccessTime, h.ChangeTime, h.Uname, h.Gname = time.Time{}, time.Time{}, "", ""
	if h.ModTime.IsZero() {
		h.ModTime = time.Unix(0, 0)
	}
	h.Format = tar.FormatUnknown // the smallest that fits
	if err := t.WriteHeader(&h); err != nil {
		return err
	}
	if e.from == "" {
		_, err := t.Write(e.data)
		return err
	}
	r, err := os.Open(e.from)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(t, r)
	return err
}

// layer is a finished layer: a file or bytes, compressed with zstd.
type layer struct {
	data   []byte
	digest v1.Hash // of data
	diffID v1.Hash // of the tar in it
}

// newLayer compresses files into a layer. It is held in memory: system images
// are 20 MB, a toolbox 50.
func newLayer(f Files) (*layer, error) {
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	diffID := newHasher()
	if err := errors.Join(f.write(io.MultiWriter(z, diffID)), z.Close()); err != nil {
		return nil, err
	}
	digest := newHasher()
	digest.Write(packed.Bytes())
	return &layer{packed.Bytes(), digest.hash(), diffID.hash()}, nil
}

// Digest, DiffID, Compressed, Uncompressed, Size and MediaType make v1.Layer.
func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *layer) Size() (int64, error)                { return int64(len(l.data)), nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.OCILayerZStd, nil }
func (l *layer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.data)), nil
}
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	z, err := zstd.NewReader(bytes.NewReader(l.data))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}
