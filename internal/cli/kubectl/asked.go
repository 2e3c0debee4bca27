package kubectl

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// target is which cluster a command line names: by a context, by an entry of its own, or
// by neither.
type target struct{ context, cluster string }

// local are kubectl's commands that ask no cluster.
var local = []string{"completion", "config", "help", "kustomize", "options", "plugin"}

// asked says which cluster of ours kubectl will ask, and whether it will ask one, as far
// as its arguments tell without all of its flags being known.
func asked(args []string) (t target, needed bool) {
	f := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	f.ParseErrorsAllowlist.UnknownFlags = true
	f.SetOutput(io.Discard)
	f.StringVar(&t.context, "context", "", "")
	f.StringVar(&t.cluster, "cluster", "", "")
	kubeconfig, server := f.String("kubeconfig", "", ""), f.StringP("server", "s", "", "")
	f.StringP("namespace", "n", "", "") // stands before the command at times
	help, client, own := f.BoolP("help", "h", false, ""), f.Bool("client", false, ""), f.Bool("local", false, "")
	dryRun := f.String("dry-run", "", "")
	f.Lookup("dry-run").NoOptDefVal = "unchanged"
	if f.Parse(args) != nil || f.NArg() == 0 {
		return t, false
	}
	elsewhere := *kubeconfig != "" || *server != ""
	return t, !elsewhere && !*help && !*client && !*own && *dryRun != "client" &&
		!slices.Contains(local, f.Arg(0)) && !strings.HasPrefix(f.Arg(0), "__") // a shell that completes
}
