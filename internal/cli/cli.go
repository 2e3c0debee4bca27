// Package cli is eksact's command line: one package for each verb.
package cli

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/alerts"
	"github.com/eksact/eksact/internal/cli/audit"
	"github.com/eksact/eksact/internal/cli/doctor"
	"github.com/eksact/eksact/internal/cli/down"
	"github.com/eksact/eksact/internal/cli/env"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/cli/iam"
	"github.com/eksact/eksact/internal/cli/image"
	"github.com/eksact/eksact/internal/cli/kubectl"
	"github.com/eksact/eksact/internal/cli/logs"
	"github.com/eksact/eksact/internal/cli/netpol"
	"github.com/eksact/eksact/internal/cli/serve"
	"github.com/eksact/eksact/internal/cli/shell"
	"github.com/eksact/eksact/internal/cli/status"
	"github.com/eksact/eksact/internal/cli/token"
	"github.com/eksact/eksact/internal/cli/trail"
	"github.com/eksact/eksact/internal/cli/up"
	"github.com/eksact/eksact/internal/cli/verify"
	"github.com/eksact/eksact/internal/cli/version"
	"github.com/eksact/eksact/internal/hint"
)

// Run runs the command line. Its error has a hint wherever one can be given.
func Run() error {
	root := Root()
	understood := false
	check := root.PersistentPreRunE
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		understood = true
		return check(cmd, args)
	}
	cmd, err := root.ExecuteC()
	switch {
	case err == nil || len(hint.Lines(err)) > 0:
		return err
	case !understood:
		return hint.Wrap(err, cmd.CommandPath()+" --help shows how it is used")
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return hint.Wrap(err, "run it as root, for instance with sudo")
	}
	return err
}

// Root is the command eksact.
func Root() *cobra.Command {
	g := &global.Options{}
	root := &cobra.Command{
		Use:           "eksact",
		Short:         "Amazon EKS, security included, on your own machine",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return g.Check(strings.Fields(cmd.Annotations[global.Forms])...)
		},
	}
	g.AddTo(root.PersistentFlags())
	root.AddCommand(
		up.New(g),
		down.New(g),
		status.New(g),
		doctor.New(g),
		env.New(g),
		shell.New(g),
		kubectl.New(g),
		verify.New(g),
		token.New(g),
		image.New(g),
		iam.New(g),
		netpol.New(g, netpol.Live),
		trail.New(g),
		logs.New(g),
		audit.New(g),
		alerts.New(g),
		serve.New(g),
		version.New(g),
	)
	refuseUnknown(root)
	return root
}
