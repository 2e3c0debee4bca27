// Command pack makes the payload of a release: the programs and images in one
// directory as one compressed archive, which package programs embeds.
//
//	pack -dir dist/amd64 -o internal/programs/payload/amd64
//
// writes amd64.tar.zst and amd64.sha256.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/eksact/eksact/internal/programs"
)

func main() {
	dir := flag.String("dir", "bin", "directory with the programs and images/")
	out := flag.String("o", "", "path of the payload, without its endings")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(3)
	}
	if err := pack(*dir, *out); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(3)
	}
}

func pack(dir, out string) error {
	paths := append([]string{}, programs.Required...)
	images, err := filepath.Glob(filepath.Join(dir, "images", "*.tar"))
	if err != nil {
		return err
	}
	if len(images) == 0 {
		return fmt.Errorf("no images in %s", filepath.Join(dir, "images"))
	}
	for _, image := range images {
		paths = append(paths, "images/"+filepath.Base(image))
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	w, err := os.Create(out + ".tar.zst")
	if err != nil {
		return err
	}
	digest, err := programs.Pack(w, dir, paths)
	if err != nil {
		w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(out+".sha256", []byte(digest+"\n"), 0o644)
}
