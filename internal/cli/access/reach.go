package access

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/hint"
)

// Answers says, of the host's kubeconfig, why a cluster's endpoint will not answer this
// machine: to those that it does not let in it is silent, as on AWS, and kubectl tries
// for minutes. The cluster is that of its entry's name, of the context's, or the current
// one. What leads to no cluster here is no business of ours.
func Answers(ctx context.Context, stateDir, runDir, kubeContext, cluster string) error {
	stateDir = daemon.DataOf(runDir, stateDir)
	a, err := ask(ctx, stateDir, runDir, Admin)
	if err != nil {
		return err
	}
	k, err := readKubeconfig(filepath.Join(stateDir, "kubeconfig"))
	if err != nil {
		return err
	}
	if cluster == "" {
		cluster = k.clusterOf(kubeContext)
	}
	for _, c := range a.connections {
		if c.ARN == cluster {
			return shut(c, a.config.Network().Host())
		}
	}
	return nil
}

// Silent says the same of all clusters whose endpoints won't answer this machine.
func Silent(ctx context.Context, stateDir, runDir string) (all []error, _ error) {
	a, err := ask(ctx, daemon.DataOf(runDir, stateDir), runDir, Admin)
	if err != nil {
		return nil, err
	}
	for _, c := range a.connections {
		if err := shut(c, a.config.Network().Host()); err != nil {
			all = append(all, err)
		}
	}
	return all, nil
}

// clusterOf is the name of a context's cluster; "" is the current context.
func (k *kubeconfig) clusterOf(context string) string {
	if context == "" {
		context = k.CurrentContext
	}
	i := find(k.Contexts, context)
	if i < 0 {
		return ""
	}
	name, _ := k.Contexts[i].Context["cluster"].(string)
	return name
}

// shut says why the endpoint does not let the machine in, and what helps; nil if it does.
func shut(c daemon.Connection, machine netip.Addr) error {
	if slices.ContainsFunc(c.Sources, func(p netip.Prefix) bool { return p.Contains(machine) }) {
		return nil
	}
	change := "endpointPublicAccess=true"
	why := "it has no public endpoint, and this machine is outside its VPC"
	if len(c.Sources) > 0 {
		var ranges []string
		for _, p := range c.Sources {
			ranges = append(ranges, p.String())
		}
		all := strings.Join(ranges, ",")
		change = fmt.Sprintf("publicAccessCidrs=%s,%s/32", all, machine)
		why = fmt.Sprintf("its public endpoint answers %s, not this machine, which is %s there", all, machine)
	}
	var lines []string
	if c.Terminal {
		lines = append(lines, "eksact shell is inside its VPC: eksact shell -- kubectl get nodes")
	}
	lines = append(lines, fmt.Sprintf("it lets this machine in after: aws eks update-cluster-config --name %s --resources-vpc-config %s", c.Name, change))
	return hint.New(fmt.Sprintf("cluster %s can't be reached from here: %s", c.Name, why), lines...)
}
