// Command eksact-node holds what runs often, or beside containers, and so must
// be small and quick to start. The name it is called by chooses the program:
//
//	containerd-shim-runc-v2   containerd's shim, one per pod
//	eksact-cni                the network plugin
//	eksact-credential         the kubelet's exec credential plugin
//	eksact-node keep …        the keeper: the root of all that runs
//	eksact-node init FILE     a node's pid 1
//	eksact-node relay …       the way to an etcd elsewhere
//	eksact-node balancer …    load balancers' proxy
//	eksact-node podagent …    the EKS Pod Identity agent
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/node/balancer"
	"github.com/eksact/eksact/internal/node/boot"
	"github.com/eksact/eksact/internal/node/cni"
	"github.com/eksact/eksact/internal/node/credential"
	"github.com/eksact/eksact/internal/node/keep"
	"github.com/eksact/eksact/internal/node/podagent"
	"github.com/eksact/eksact/internal/node/relay"
	"github.com/eksact/eksact/internal/node/shim"
)

func main() {
	name := filepath.Base(os.Args[0])
	if err := run(name, os.Args[1:]); err != nil {
		hint.Print(os.Stderr, name, err)
		os.Exit(3)
	}
}

func run(name string, args []string) error {
	switch name {
	case "containerd-shim-runc-v2":
		shim.Main()
		return nil
	case "eksact-cni":
		cni.Main()
		return nil
	case "eksact-credential":
		return credential.Main(args, os.Stdout)
	}
	switch {
	case len(args) == 2 && args[0] == "init":
		return boot.Main(args[1])
	case len(args) >= 1 && args[0] == "keep":
		return keep.Main(args[1:])
	case len(args) >= 1 && args[0] == "relay":
		return relay.Main(args[1:])
	case len(args) >= 1 && args[0] == "balancer":
		return balancer.Main(args[1:])
	case len(args) >= 1 && args[0] == "podagent":
		return podagent.Main(args[1:])
	}
	return hint.Wrap(errors.New("not a command for people"), fmt.Sprintf("it is started by eksact; the programs it holds: %s", "containerd-shim-runc-v2, eksact-cni, eksact-credential, keep, init, relay, balancer, podagent"))
}
