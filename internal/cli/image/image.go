// Package image manages the images that nodes find on this machine before they
// look anywhere else: loaded from archives, or built from Debian packages.
package image

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/images"
	"github.com/eksact/eksact/internal/images/build"
)

// New makes the command and its verbs.
func New(g *global.Options) *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Load, build, list and remove container images"}
	cmd.AddCommand(list(g), load(g), builder(g), remove(g))
	return cmd
}

func open(g *global.Options) (*images.Store, error) {
	return images.Open(filepath.Join(g.StateDir, "images"))
}

type line struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Pulled bool   `json:"pulled"`
}

func show(cmd *cobra.Command, g *global.Options, all []images.Image) error {
	lines := []line{}
	for _, i := range all {
		lines = append(lines, line{i.Name, i.Digest.String(), i.Size, i.Pulled()})
	}
	if g.JSON() {
		return global.Print(cmd.OutOrStdout(), lines)
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tDIGEST\tSIZE")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%.19s\t%.1f MB\n", l.Name, l.Digest, float64(l.Size)/1e6)
	}
	return t.Flush()
}

func list(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List the images", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open(g)
			if err != nil {
				return err
			}
			all, err := s.List()
			if err != nil {
				return err
			}
			return show(cmd, g, all)
		},
	}
}

func load(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use: "load ARCHIVE…", Short: "Load what docker save, or an OCI archive, holds", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := open(g)
			if err != nil {
				return err
			}
			var all []images.Image
			for _, archive := range args {
				loaded, err := s.Load(archive)
				if err != nil {
					return fmt.Errorf("loading %s: %w", archive, err)
				}
				all = append(all, loaded...)
			}
			return show(cmd, g, all)
		},
	}
}

func builder(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use: "build SPEC…", Short: "Build images from Debian packages and files, as YAML files describe", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			specs, err := read(args)
			if err != nil {
				return err
			}
			s, err := open(g)
			if err != nil {
				return err
			}
			b := build.Builder{Cache: filepath.Join(g.StateDir, "cache")}
			var all []images.Image
			for i, spec := range specs {
				archive, err := b.Build(cmd.Context(), spec)
				if err != nil {
					return fmt.Errorf("building %s: %w", args[i], err)
				}
				loaded, err := s.Load(archive)
				if err != nil {
					return err
				}
				all = append(all, loaded...)
			}
			return show(cmd, g, all)
		},
	}
}

// read reads all specs, before anything is made of one.
func read(paths []string) ([]build.Spec, error) {
	var specs []build.Spec
	for _, path := range paths {
		spec, err := build.ReadSpec(path)
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

func remove(g *global.Options) *cobra.Command {
	return &cobra.Command{
		Use: "rm IMAGE…", Short: "Remove images", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := open(g)
			if err != nil {
				return err
			}
			for _, name := range args {
				full, err := images.Normalize(name)
				if err != nil {
					return err
				}
				if err := s.Remove(full); err != nil {
					return fmt.Errorf("image %s: %w", full, err)
				}
			}
			return nil
		},
	}
}
