package netpol

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/kube/netpol"
)

func newWait(g *global.Options) *cobra.Command {
	var want daemon.PolicyWait
	var all bool
	cmd := &cobra.Command{
		Use:   "wait [NAME]",
		Short: "Wait until network policies are enforced on every node",
		Long: `Wait until a NetworkPolicy is enforced on every node as it is now, and tell since when.

Without a name it waits for all that the API server had acknowledged: policies and the
labels and addresses that they depend on, as they were made, changed and deleted; with
--namespace it tells only of those there.`,
		Example: "  kubectl apply -f deny.yaml && eksact netpol wait deny\n  kubectl label pod web-0 role=db && eksact netpol wait",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				want.Name = args[0]
			}
			if all && want.Name != "" {
				return hint.New("--all and a name are given", "leave out one of them")
			}
			if err := daemon.Reach(g.RunDir); err != nil {
				return err
			}
			var receipts []netpol.Receipt
			if err := control.Dial(g.RunDir).Call(cmd.Context(), "/netpol/wait", want, &receipts); err != nil {
				return err
			}
			if cmd.Flags().Changed("namespace") {
				receipts = slices.DeleteFunc(receipts, func(r netpol.Receipt) bool { return r.Policy.Namespace != want.Namespace })
			}
			if g.JSON() {
				return global.Print(cmd.OutOrStdout(), slices.Concat([]netpol.Receipt{}, receipts))
			}
			return showReceipts(cmd.OutOrStdout(), receipts)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&want.Namespace, "namespace", "n", "default", "of the policy")
	f.BoolVar(&all, "all", false, "wait for all, as without a name")
	f.DurationVar(&want.Timeout, "timeout", 30*time.Second, "give up after so long")
	f.StringVar(&want.Cluster, "cluster", "", "which cluster's (the one that up made)")
	return cmd
}

func showReceipts(w io.Writer, all []netpol.Receipt) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no policies are there; none restricts anything on any node")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "POLICY\tGENERATION\tNODE\tENFORCED\tTOOK")
	for _, r := range all {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%.1f ms\n", r.Policy, r.Generation, r.Node, r.Enforced.Format("15:04:05.000"), float64(r.Took.Microseconds())/1000)
	}
	return t.Flush()
}

// Live reads what policies see of the cluster that runs.
func Live(ctx context.Context, g *global.Options) (*manifest.Set, error) {
	if err := daemon.Reach(g.RunDir); err != nil {
		return nil, err
	}
	var objects daemon.PolicyObjects
	if err := control.Dial(g.RunDir).Call(ctx, "/netpol/objects", "", &objects); err != nil {
		return nil, err
	}
	set := &manifest.Set{Served: true, PodCIDR: netip.MustParsePrefix(podCIDR)}
	if !objects.Enforced {
		set.Notes = append(set.Notes, "network policies are not enforced: the add-on vpc-cni has enableNetworkPolicy off; this is what they would decide")
	}
	for _, list := range objects.Lists {
		if err := set.Add("the cluster", list); err != nil {
			return nil, err
		}
	}
	return set, nil
}
