package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/images"
)

// recipe is raised when the same spec and packages are to give another image.
const recipe = "1"

// Builder builds images from specs. What it downloads and makes is kept in its
// cache, so that a second build of the same takes milliseconds.
type Builder struct {
	Cache string // directory
}

// Build makes the image that s describes and returns an OCI archive of it, with
// all its names, to be given to Store.Load. The archive lies in the cache.
func (b Builder) Build(ctx context.Context, s Spec) (archive string, err error) {
	if err := s.check(); err != nil {
		return "", err
	}
	a := apt{filepath.Join(b.Cache, "debs")}
	fingerprint, err := s.fingerprint()
	if err != nil {
		return "", fmt.Errorf("building %s: %w", s.Name, err)
	}
	// The fetch may bring new indexes, hence the stamp is read again after it.
	path := func() string {
		h := newHasher()
		fmt.Fprintln(h, recipe, runtime.GOARCH, fingerprint)
		if len(s.Packages) > 0 {
			fmt.Fprintln(h, a.stamp())
		}
		return filepath.Join(b.Cache, "images", h.hash().Hex[:32]+".tar")
	}
	if archive = path(); exists(archive) {
		return archive, nil
	}
	named, err := b.make(ctx, a, s)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", s.Name, err)
	}
	archive = path()
	if err := write(archive, named); err != nil {
		return "", fmt.Errorf("building %s: %w", s.Name, err)
	}
	return archive, nil
}

func (b Builder) make(ctx context.Context, a apt, s Spec) ([]images.Named, error) {
	f := Files{}
	if len(s.Packages) > 0 {
		packages := slices.Clone(s.Packages)
		if !s.Bare {
			packages = append(packages, base...)
		}
		debs, err := a.fetch(ctx, packages)
		if err != nil {
			return nil, err
		}
		for _, deb := range debs {
			if err := unpack(ctx, f, deb); err != nil {
				return nil, err
			}
		}
		f.Tidy()
	}
	if err := s.apply(f); err != nil {
		return nil, err
	}
	img, err := newImage(f, runtime.GOARCH, s.config())
	if err != nil {
		return nil, err
	}
	var named []images.Named
	for _, n := range append([]string{s.Name}, s.Aliases...) {
		full, err := images.Normalize(n)
		if err != nil {
			return nil, err
		}
		named = append(named, images.Named{Name: full, Image: img})
	}
	return named, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// write writes the archive in one step: a killed build leaves no half of one.
func write(archive string, named []images.Named) error {
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return err
	}
	f, err := renameio.NewPendingFile(archive, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := images.WriteArchive(f, named...); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
