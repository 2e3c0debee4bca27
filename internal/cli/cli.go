// Package cli is eksact's command line: one package for each verb.
package cli

import (
	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/doctor"
	"github.com/eksact/eksact/internal/cli/down"
	"github.com/eksact/eksact/internal/cli/env"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/image"
	"github.com/eksact/eksact/internal/cli/kubectl"
	"github.com/eksact/eksact/internal/cli/serve"
	"github.com/eksact/eksact/internal/cli/shell"
	"github.com/eksact/eksact/internal/cli/status"
	"github.com/eksact/eksact/internal/cli/token"
	"github.com/eksact/eksact/internal/cli/up"
	"github.com/eksact/eksact/internal/cli/verify"
	"github.com/eksact/eksact/internal/cli/version"
)

// Root is the command eksact.
func Root() *cobra.Command {
	g := &global.Options{}
	root := &cobra.Command{
		Use:               "eksact",
		Short:             "Amazon EKS, security included, on your own machine",
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return g.Check() },
	}
	g.AddTo(root.PersistentFlags())
	root.AddCommand(up.New(g), down.New(g), status.New(g), doctor.New(g), env.New(g), shell.New(g), kubectl.New(g), verify.New(g), token.New(g), image.New(g), serve.New(g), version.New(g))
	return root
}
