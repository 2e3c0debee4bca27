package netpol

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
	"github.com/eksact/eksact/internal/hint"
)

// largest file that is read: beyond it something else than manifests was named.
const largest = 64 << 20

// load reads files, and all manifests below folders.
func load(set *manifest.Set, paths []string, in io.Reader) error {
	before := len(set.Cluster.Pods) + len(set.Cluster.Policies)
	for _, path := range paths {
		if err := loadPath(set, path, in); err != nil {
			return err
		}
	}
	if len(set.Cluster.Pods)+len(set.Cluster.Policies) == before {
		return hint.New("there is no pod and no policy in "+strings.Join(paths, ", "), "name files or folders of manifests: .yaml, .yml or .json")
	}
	return nil
}

func loadPath(set *manifest.Set, path string, in io.Reader) error {
	if path == "-" {
		text, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		return add(set, "standard input", text)
	}
	info, err := os.Stat(path)
	if err != nil {
		return global.Unreadable(path, err)
	}
	if !info.IsDir() {
		return loadFile(set, path, info)
	}
	return filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return global.Unreadable(path, err)
		}
		if entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return nil
		}
		info, err := os.Stat(path) // what a link leads to
		if err != nil || info.IsDir() {
			return global.Unreadable(path, err)
		}
		return loadFile(set, path, info)
	})
}

func loadFile(set *manifest.Set, path string, info fs.FileInfo) error {
	if info.Size() > largest {
		return hint.New(fmt.Sprintf("%s has %d bytes, more than files of manifests have", path, info.Size()), "name another file")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return global.Unreadable(path, err)
	}
	return add(set, path, text)
}

func add(set *manifest.Set, name string, text []byte) error {
	return hint.Wrap(set.Add(name, text), "kubectl apply --dry-run=server -f shows whether the API server takes it")
}
