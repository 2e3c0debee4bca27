// Command kubectl is upstream's kubectl, unchanged, with the version of the
// Kubernetes that this project carries. It is a program of its own because it
// is started for every command a user types: alone it starts in half the time
// that it takes inside eksact-kube.
package main

import (
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // exec, oidc and the other ways to sign in
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	// Verbosity holds from here on, not only after the flags are parsed: plugin
	// lookup and .kuberc come before that. A bad value is reported by the flags.
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
