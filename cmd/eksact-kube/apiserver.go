package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/flagz"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	"k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/term"
	"k8s.io/component-base/version/verflag"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"github.com/eksact/eksact/cmd/eksact-kube/listen"
)

// runAPIServer runs kube-apiserver, on the socket its parent hands it where
// there is one (LISTEN_FDS=1, as systemd does it: see sd_listen_fds(3)), else
// as upstream does.
//
// A socket that outlives the server makes its restart a pause: the kernel
// queues connections meanwhile and nobody is refused. The address and port of
// --bind-address and --secure-port are then ignored; the port written into the
// endpoints of the Service "kubernetes" is the socket's, the address is
// --advertise-address. So a proxy or address translation between clients and
// the socket must keep the port.
func runAPIServer() int {
	listener, err := listen.Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kube-apiserver:", err)
		return 1
	}
	return cli.Run(newAPIServerCommand(listener))
}

// newAPIServerCommand is upstream's app.NewAPIServerCommand (v1.37.2) with one
// step more: the listener is put into the options. Upstream's own keeps the
// options to itself.
func newAPIServerCommand(listener net.Listener) *cobra.Command {
	s := options.NewServerRunOptions()
	ctx := server.SetupSignalContext()
	registry := s.GenericServerRunOptions.ComponentGlobalsRegistry
	gates := registry.FeatureGateFor(compatibility.DefaultKubeComponent)

	cmd := &cobra.Command{
		Use:          "kube-apiserver",
		Long:         "The Kubernetes API server, as upstream's, but that it serves on an inherited socket when LISTEN_FDS=1.",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if err := registry.Set(); err != nil {
				return err
			}
			// Its own loopback client would log warnings about what it itself serves.
			rest.SetDefaultWarningHandler(rest.NoWarnings{})
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			verflag.PrintAndExitIfRequested()
			if err := logsapi.ValidateAndApply(s.Logs, gates); err != nil {
				return err
			}
			cliflag.PrintFlags(cmd.Flags())
			if listener != nil {
				s.SecureServing.Listener = listener
				s.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
			}
			return complete(ctx, s, gates)
		},
	}
	cmd.SetContext(ctx)
	addFlags(cmd, s)
	return cmd
}

// complete fills in the options' defaults, checks them and runs the server.
func complete(ctx context.Context, s *options.ServerRunOptions, gates featuregate.FeatureGate) error {
	completed, err := s.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return utilerrors.NewAggregate(errs)
	}
	gates.(featuregate.MutableFeatureGate).AddMetrics()
	s.GenericServerRunOptions.ComponentGlobalsRegistry.AddMetrics()
	return app.Run(ctx, completed)
}

// addFlags gives the command upstream's flags, in upstream's sections.
func addFlags(cmd *cobra.Command, s *options.ServerRunOptions) {
	sections := s.Flags()
	s.Flagz = flagz.NamedFlagSetsReader{FlagSets: sections}
	verflag.AddFlags(sections.FlagSet("global"))
	globalflag.AddGlobalFlags(sections.FlagSet("global"), cmd.Name(), logs.SkipLoggingConfigurationFlags())
	for _, f := range sections.FlagSets {
		cmd.Flags().AddFlagSet(f)
	}
	columns, _, _ := term.TerminalSize(cmd.OutOrStdout())
	cliflag.SetUsageAndHelpFunc(cmd, sections, columns)
}
