package images

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/hint"
)

// Annotations of the descriptors in index.json.
const (
	annotationName    = "io.containerd.image.name"          // full name; containerd's own annotation
	annotationTag     = "org.opencontainers.image.ref.name" // what other tools show
	annotationChecked = "dev.eksact.image.checked"          // RFC 3339: when its registry last said this is current; absent if loaded
)

// ErrUnknown is returned for an image or blob that is not in the Store.
var ErrUnknown = errors.New("not in the image store")

// Image is one named image of a Store.
type Image struct {
	Name      string    // full, as Normalize gives it
	Digest    v1.Hash   // of the manifest or index
	MediaType string    // of the manifest or index
	Size      int64     // bytes of manifest, configuration and layers that are here, for this machine's platform or all
	Checked   time.Time // when the registry it was pulled from last confirmed it; zero if it was loaded
}

// Pulled tells whether the image came from a registry, on a node's behalf.
func (i Image) Pulled() bool { return !i.Checked.IsZero() }

// Store is a directory of images. Its methods may be called at once, from
// several processes.
type Store struct {
	dir  string
	mu   sync.Mutex // orders this process's writers; the lock file those of others
	lock *flock.Flock

	cache struct { // what index.json said when last read
		sync.Mutex
		stamp string
		index v1.IndexManifest
	}
}

// Open opens the Store in dir and makes it if it is not there.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, hint.Wrap(fmt.Errorf("opening the image store: %w", err), "run as root, or give --state-dir a directory of yours")
	}
	layout := filepath.Join(dir, "oci-layout")
	if _, err := os.Stat(layout); errors.Is(err, fs.ErrNotExist) {
		if err := renameio.WriteFile(layout, []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644); err != nil {
			return nil, fmt.Errorf("opening the image store: %w", err)
		}
	}
	return &Store{dir: dir, lock: flock.New(filepath.Join(dir, ".lock"))}, nil
}

// List lists the images by name.
func (s *Store) List() ([]Image, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	var list []Image
	for _, d := range index.Manifests {
		list = append(list, s.image(d))
	}
	slices.SortFunc(list, func(a, b Image) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Get finds an image by its full name.
func (s *Store) Get(name string) (Image, error) {
	index, err := s.index()
	if err != nil {
		return Image{}, err
	}
	for _, d := range index.Manifests {
		if d.Annotations[annotationName] == name {
			return s.image(d), nil
		}
	}
	return Image{}, fmt.Errorf("image %s: %w", name, ErrUnknown)
}

func (s *Store) image(d v1.Descriptor) Image {
	i := Image{Name: d.Annotations[annotationName], Digest: d.Digest, MediaType: string(d.MediaType)}
	i.Checked, _ = time.Parse(time.RFC3339, d.Annotations[annotationChecked])
	for h := range s.reach(d.Digest, d.MediaType) {
		if info, err := os.Stat(s.path(h)); err == nil {
			i.Size += info.Size()
		}
	}
	return i
}

// Tag gives the manifest of digest d, whose blob must be here, a full name,
// which it takes from whatever had it. A zero checked means "loaded by a user".
func (s *Store) Tag(name string, d v1.Hash, mediaType string, checked time.Time) error {
	info, err := os.Stat(s.path(d))
	if err != nil {
		return fmt.Errorf("naming %s: manifest %s: %w", name, d, ErrUnknown)
	}
	desc := v1.Descriptor{
		MediaType: types.MediaType(mediaType), Digest: d, Size: info.Size(),
		Annotations: map[string]string{annotationName: name, annotationTag: name},
	}
	if !checked.IsZero() {
		desc.Annotations[annotationChecked] = checked.UTC().Format(time.RFC3339)
	}
	return s.update(func(index *v1.IndexManifest) error {
		index.Manifests = slices.DeleteFunc(index.Manifests, named(name))
		index.Manifests = append(index.Manifests, desc)
		return nil
	})
}

// Remove forgets an image by its full name and deletes the blobs that no other
// image uses.
func (s *Store) Remove(name string) error {
	return s.update(func(index *v1.IndexManifest) error {
		i := slices.IndexFunc(index.Manifests, named(name))
		if i < 0 {
			return hint.Wrap(fmt.Errorf("image %s: %w", name, ErrUnknown), "eksact image ls")
		}
		gone := s.reach(index.Manifests[i].Digest, index.Manifests[i].MediaType)
		index.Manifests = slices.Delete(index.Manifests, i, i+1)
		for _, d := range index.Manifests {
			for h := range s.reach(d.Digest, d.MediaType) {
				delete(gone, h)
			}
		}
		// The name goes first: were the blobs deleted first and the process then
		// killed, a name would be left that promises what is not there.
		if err := s.write(index); err != nil {
			return err
		}
		for h := range gone {
			if err := os.Remove(s.path(h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}

func named(name string) func(v1.Descriptor) bool {
	return func(d v1.Descriptor) bool { return d.Annotations[annotationName] == name }
}

// reach is the set of blobs that a manifest or index leads to, itself included,
// whether they are here or not.
func (s *Store) reach(h v1.Hash, t types.MediaType) map[v1.Hash]bool {
	set := map[v1.Hash]bool{h: true}
	raw, err := s.Bytes(h)
	if err != nil {
		return set
	}
	if t.IsIndex() {
		var index v1.IndexManifest
		if json.Unmarshal(raw, &index) == nil {
			for _, d := range index.Manifests {
				for x := range s.reach(d.Digest, d.MediaType) {
					set[x] = true
				}
			}
		}
		return set
	}
	var manifest v1.Manifest
	if json.Unmarshal(raw, &manifest) == nil {
		set[manifest.Config.Digest] = true
		for _, l := range manifest.Layers {
			set[l.Digest] = true
		}
	}
	return set
}

// Reaches tells whether an image leads to the blob h.
func (s *Store) Reaches(i Image, h v1.Hash) bool {
	return s.reach(i.Digest, types.MediaType(i.MediaType))[h]
}

// Open opens a blob for reading. The caller closes it.
func (s *Store) Open(h v1.Hash) (*os.File, error) {
	f, err := os.Open(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", h, ErrUnknown)
	}
	return f, err
}

// Bytes reads a small blob: a manifest or configuration, at most 16 MiB.
func (s *Store) Bytes(h v1.Hash) ([]byte, error) {
	f, err := s.Open(h)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 16<<20))
}

// Put stores what r holds as blob h. Content that has another digest is refused
// and nothing is left of it.
func (s *Store) Put(h v1.Hash, r io.Reader) error {
	if h.Algorithm != "sha256" {
		return fmt.Errorf("blob %s: only sha256 digests are supported", h)
	}
	f, err := renameio.NewPendingFile(s.path(h), renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, hash), r); err != nil {
		return fmt.Errorf("blob %s: %w", h, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != h.Hex {
		return fmt.Errorf("blob %s: the content has digest sha256:%s", h, got)
	}
	return f.CloseAtomicallyReplace()
}

// Has tells whether a blob is here.
func (s *Store) Has(h v1.Hash) bool {
	_, err := os.Stat(s.path(h))
	return err == nil
}

// path is where blob h lies. Its parts are checked, for they come from requests.
func (s *Store) path(h v1.Hash) string {
	if h.Algorithm != "sha256" || len(h.Hex) != 64 || strings.Trim(h.Hex, "0123456789abcdef") != "" {
		return filepath.Join(s.dir, "blobs", "none")
	}
	return filepath.Join(s.dir, "blobs", h.Algorithm, h.Hex)
}

// index reads index.json, again only if another process replaced it.
func (s *Store) index() (v1.IndexManifest, error) {
	s.cache.Lock()
	defer s.cache.Unlock()
	path := filepath.Join(s.dir, "index.json")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, nil
	}
	if err != nil {
		return v1.IndexManifest{}, err
	}
	if stamp := stampOf(info); stamp != s.cache.stamp {
		raw, err := os.ReadFile(path)
		if err != nil {
			return v1.IndexManifest{}, err
		}
		var index v1.IndexManifest
		if err := json.Unmarshal(raw, &index); err != nil {
			return v1.IndexManifest{}, hint.Wrap(fmt.Errorf("%s is damaged: %w", path, err), "remove the directory "+s.dir+" and load the images again")
		}
		s.cache.stamp, s.cache.index = stamp, index
	}
	copied := s.cache.index
	copied.Manifests = slices.Clone(copied.Manifests)
	return copied, nil
}

// update changes index.json under the lock. If change already wrote it, writing
// it once more does no harm.
func (s *Store) update(change func(*v1.IndexManifest) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.lock.Lock(); err != nil {
		return fmt.Errorf("locking the image store: %w", err)
	}
	defer s.lock.Unlock()
	index, err := s.index()
	if err != nil {
		return err
	}
	if err := change(&index); err != nil {
		return err
	}
	return s.write(&index)
}

func (s *Store) write(index *v1.IndexManifest) error {
	slices.SortFunc(index.Manifests, func(a, b v1.Descriptor) int {
		return strings.Compare(a.Annotations[annotationName], b.Annotations[annotationName])
	})
	raw, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(s.dir, "index.json"), raw, 0o644)
}
