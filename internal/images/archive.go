package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/eksact/eksact/internal/hint"
)

// Named is an image with the full name it is to have.
type Named struct {
	Name  string
	Image v1.Image
}

// Add stores an image under a full name.
func (s *Store) Add(n Named) (Image, error) {
	if err := s.putImage(n.Image); err != nil {
		return Image{}, fmt.Errorf("storing %s: %w", n.Name, err)
	}
	digest, err := n.Image.Digest()
	if err != nil {
		return Image{}, err
	}
	mediaType, err := n.Image.MediaType()
	if err != nil {
		return Image{}, err
	}
	if err := s.Tag(n.Name, digest, string(mediaType), time.Time{}); err != nil {
		return Image{}, err
	}
	return s.Get(n.Name)
}

func (s *Store) putImage(img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		h, err := l.Digest()
		if err != nil {
			return err
		}
		if s.Has(h) {
			continue
		}
		r, err := l.Compressed()
		if err != nil {
			return err
		}
		if err := errors.Join(s.Put(h, r), r.Close()); err != nil {
			return err
		}
	}
	return eachDocument(img, func(h v1.Hash, raw []byte) error { return s.Put(h, bytes.NewReader(raw)) })
}

// eachDocument calls fn with an image's configuration and its manifest, and their digests.
func eachDocument(img v1.Image, fn func(v1.Hash, []byte) error) error {
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	manifest, err := img.RawManifest()
	if err != nil {
		return err
	}
	for _, raw := range [][]byte{config, manifest} {
		h, _, err := v1.SHA256(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		if err := fn(h, raw); err != nil {
			return err
		}
	}
	return nil
}

// Load stores all images of an archive: what `docker save` writes, or an OCI
// layout as a tar; plain, or compressed with gzip or zstd. It returns them as
// they are named now.
func (s *Store) Load(archive string) ([]Image, error) {
	blobs, err := s.readBlobs(archive)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", archive, err)
	}
	var loaded []Image
	switch {
	case blobs.index != nil:
		loaded, err = s.loadOCI(blobs.index)
	case blobs.docker:
		loaded, err = s.loadDocker(archive)
	default:
		err = hint.New("it has neither index.json nor manifest.json", "make the archive with: docker save NAME -o FILE")
	}
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", archive, err)
	}
	return loaded, nil
}

// contents is what one pass over an archive finds.
type contents struct {
	index  []byte // index.json, of an OCI archive
	docker bool   // manifest.json, of a docker archive
}

// readBlobs stores the archive's blobs on the way. Blobs named by their digest
// are checked against it, so this trusts nothing.
func (s *Store) readBlobs(archive string) (contents, error) {
	var found contents
	r, err := open(archive)
	if err != nil {
		return found, err
	}
	defer r.Close()
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, hint.Wrap(fmt.Errorf("not an image archive: %w", err), "make the archive with: docker save NAME -o FILE")
		}
		name := path.Clean(h.Name)
		switch {
		case h.Typeflag != tar.TypeReg:
		case name == "index.json":
			if found.index, err = io.ReadAll(io.LimitReader(t, 16<<20)); err != nil {
				return found, err
			}
		case name == "manifest.json":
			found.docker = true
		case strings.HasPrefix(name, "blobs/sha256/"):
			if err := s.Put(v1.Hash{Algorithm: "sha256", Hex: path.Base(name)}, t); err != nil {
				return found, err
			}
		}
	}
}

// loadOCI names what index.json lists. Its blobs are stored already.
func (s *Store) loadOCI(raw []byte) ([]Image, error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	var loaded []Image
	for _, d := range index.Manifests {
		given := d.Annotations[annotationName]
		if given == "" {
			given = d.Annotations[annotationTag]
		}
		if given == "" {
			continue
		}
		full, err := Normalize(given)
		if err != nil {
			return nil, err
		}
		for h := range s.reach(d.Digest, d.MediaType) {
			if !s.Has(h) && !d.MediaType.IsIndex() {
				return nil, fmt.Errorf("%s lacks blob %s", full, h)
			}
		}
		if err := s.Tag(full, d.Digest, string(d.MediaType), time.Time{}); err != nil {
			return nil, err
		}
		image, err := s.Get(full)
		if err != nil {
			return nil, err
		}
		loaded = append(loaded, image)
	}
	if len(loaded) == 0 {
		return nil, hint.New("no image in it has a name", "save the image by its name, not by its id")
	}
	return loaded, nil
}

// loadDocker stores the images of a docker archive: its layers are plain tars
// named as they please, so they are compressed and digested here.
func (s *Store) loadDocker(archive string) ([]Image, error) {
	opener := func() (io.ReadCloser, error) { return open(archive) }
	manifest, err := tarball.LoadManifest(opener)
	if err != nil {
		return nil, err
	}
	var loaded []Image
	for _, entry := range manifest {
		for _, given := range entry.RepoTags {
			full, err := Normalize(given)
			if err != nil {
				return nil, err
			}
			tag, err := tagOf(given)
			if err != nil {
				return nil, err
			}
			img, err := tarball.Image(opener, tag)
			if err != nil {
				return nil, err
			}
			image, err := s.Add(Named{full, img})
			if err != nil {
				return nil, err
			}
			loaded = append(loaded, image)
		}
	}
	if len(loaded) == 0 {
		return nil, hint.New("no image in it has a name", "save the image by its name, not by its id")
	}
	return loaded, nil
}

// open opens an archive, unpacking gzip or zstd, which it knows by their first
// bytes.
func open(archive string) (io.ReadCloser, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	magic := make([]byte, 4)
	n, _ := io.ReadFull(f, magic)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic[:n], []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(f)
		if err != nil {
			f.Close()
			return nil, err
		}
		return both{z, func() error { return errors.Join(z.Close(), f.Close()) }}, nil
	case bytes.HasPrefix(magic[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(f)
		if err != nil {
			f.Close()
			return nil, err
		}
		return both{z, func() error { z.Close(); return f.Close() }}, nil
	}
	return f, nil
}

type both struct {
	io.Reader
	close func() error
}

func (b both) Close() error { return b.close() }

// WriteArchive writes images as one OCI archive, which Load and containerd
// read. The same images give the same bytes: no time is in it.
func WriteArchive(w io.Writer, list ...Named) error {
	t := tar.NewWriter(w)
	file := func(name string, size int64, r io.Reader) error {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(t, r)
		return err
	}
	small := func(name string, raw []byte) error { return file(name, int64(len(raw)), bytes.NewReader(raw)) }

	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	done := map[v1.Hash]bool{}
	for _, n := range list {
		desc, err := describe(n)
		if err != nil {
			return err
		}
		index.Manifests = append(index.Manifests, desc)
		if done[desc.Digest] {
			continue
		}
		done[desc.Digest] = true
		if err := writeBlobs(n.Image, done, file, small); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	slices.SortStableFunc(index.Manifests, func(a, b v1.Descriptor) int {
		return strings.Compare(a.Annotations[annotationName], b.Annotations[annotationName])
	})
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return errors.Join(small("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)), small("index.json", raw), t.Close())
}

func describe(n Named) (v1.Descriptor, error) {
	digest, err := n.Image.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	mediaType, err := n.Image.MediaType()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := n.Image.Size()
	return v1.Descriptor{
		MediaType: mediaType, Digest: digest, Size: size,
		Annotations: map[string]string{annotationName: n.Name, annotationTag: n.Name},
	}, err
}

func writeBlobs(img v1.Image, done map[v1.Hash]bool, file func(string, int64, io.Reader) error, small func(string, []byte) error) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		h, err := l.Digest()
		if err != nil {
			return err
		}
		if done[h] {
			continue
		}
		done[h] = true
		size, err := l.Size()
		if err != nil {
			return err
		}
		r, err := l.Compressed()
		if err != nil {
			return err
		}
		if err := errors.Join(file("blobs/sha256/"+h.Hex, size, r), r.Close()); err != nil {
			return err
		}
	}
	return eachDocument(img, func(h v1.Hash, raw []byte) error { return small("blobs/sha256/"+h.Hex, raw) })
}
