// Command system makes the system images from the programs in a directory, as
// OCI archives under its images/: part of the build.
//
//	system -dir bin -arch amd64
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/eksact/eksact/internal/images"
	"github.com/eksact/eksact/internal/images/build"
)

func main() {
	dir := flag.String("dir", "bin", "directory with the programs")
	arch := flag.String("arch", runtime.GOARCH, "their architecture")
	flag.Parse()
	if err := run(*dir, *arch); err != nil {
		fmt.Fprintln(os.Stderr, "system images:", err)
		os.Exit(3)
	}
}

// run writes each image into a file of its own, named after the image.
func run(dir, arch string) error {
	list, err := build.System(dir, arch)
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "images")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, n := range list {
		var archive bytes.Buffer
		if err := images.WriteArchive(&archive, n); err != nil {
			return err
		}
		repo := images.Repository(n.Name)
		file := filepath.Join(out, repo[strings.LastIndex(repo, "/")+1:]+".tar")
		if err := renameio.WriteFile(file, archive.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Printf("%s  %.1f MB  %s\n", file, float64(archive.Len())/1e6, n.Name)
	}
	return nil
}
