package netpol

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
	"github.com/eksact/eksact/internal/hint"
)

// podCIDR is where pods are that say no address: eksact's VPC.
const podCIDR = "10.0.0.0/16"

// asked is a flow, as the command line has it.
type asked struct {
	g              *global.Options
	live           Source
	from, to, port string
	namespace      string
	files          []string
	podCIDR        string
}

func newExplain(g *global.Options, live Source) *cobra.Command {
	a := asked{g: g, live: live}
	cmd := &cobra.Command{
		Use:   "explain --from END --to END --port PORT [-f FILE|FOLDER]…",
		Short: "Tell which rule of which policy decides a flow",
		Long: `Tell whether a flow passes, and which rule of which policy decides it in each
direction: what the sender's policies let go, and what the receiver's let come.

  eksact netpol explain -f manifests/ --from deployment/web --to db/statefulset/db --port 5432

With -f it reads manifests, and neither a cluster nor root is needed: YAML or JSON,
also lists as kubectl get -o yaml writes them; of a folder all files below it. Pods
count, and the pod templates of Deployments and other workloads.

An end is [NAMESPACE/][KIND/]NAME of a pod or a workload, an address, or as --to a
service (svc/NAME), which leads to each of its pods. A port is a number or a name of
the destination's, with /UDP or /SCTP if it isn't TCP.

Of pods whose manifests have no address it is known only that they are in --pod-cidr;
where a rule is about a part of it, the outcome is unsure.

It ends with 0 whatever was decided, and with 3 when the question can't be asked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.from, "from", "", "who sends: a pod, a workload or an address")
	f.StringVar(&a.to, "to", "", "who is to receive: a pod, a workload, a service or an address")
	f.StringVar(&a.port, "port", "", "destination port: 80, http, 53/UDP")
	f.StringVarP(&a.namespace, "namespace", "n", "default", "of ends that don't say theirs")
	f.StringArrayVarP(&a.files, "filename", "f", nil, `file or folder of manifests, "-" for standard input; several times`)
	f.StringVar(&a.podCIDR, "pod-cidr", podCIDR, "where pods are that have no address")
	return cmd
}

// answer is the JSON form.
type answer struct {
	Outcome  netpol.Outcome        `json:"outcome"` // of all flows; "mixed" when they differ
	Flows    []*netpol.Explanation `json:"flows"`
	Warnings []string              `json:"warnings,omitempty"`
}

func (a *asked) run(ctx context.Context, in io.Reader, out, notes io.Writer) error {
	const form = "eksact netpol explain --help shows how a flow is described"
	for _, flag := range []struct{ name, value string }{{"from", a.from}, {"to", a.to}, {"port", a.port}} {
		if flag.value == "" {
			return hint.New("--"+flag.name+" is not given", form)
		}
	}
	port, err := manifest.ParsePort(a.port)
	if err != nil {
		return hint.Wrap(err, form)
	}
	set, err := a.set(ctx, in)
	if err != nil {
		return err
	}
	flows, err := a.flows(set, port)
	if err != nil {
		return hint.Wrap(err, form)
	}
	for _, note := range set.Notes {
		fmt.Fprintf(notes, "warning: %s\n", global.Printable(note))
	}
	if a.g.JSON() {
		return global.Print(out, answer{outcomeOf(flows), flows, set.Notes})
	}
	for _, e := range flows {
		show(out, "", e)
	}
	return nil
}

func (a *asked) set(ctx context.Context, in io.Reader) (*manifest.Set, error) {
	if len(a.files) == 0 {
		if a.live == nil {
			return nil, hint.New("no manifests are given", "name files or folders with -f")
		}
		return a.live(ctx, a.g)
	}
	cidr, err := netip.ParsePrefix(a.podCIDR)
	if err != nil {
		return nil, hint.New(fmt.Sprintf("--pod-cidr %q is no CIDR", a.podCIDR), "say it as in --pod-cidr "+podCIDR)
	}
	set := &manifest.Set{PodCIDR: cidr.Masked()}
	return set, load(set, a.files, in)
}

func (a *asked) flows(set *manifest.Set, port manifest.Port) ([]*netpol.Explanation, error) {
	from, err := set.Find(a.from, a.namespace)
	if err != nil {
		return nil, err
	}
	to, err := set.Find(a.to, a.namespace)
	if err != nil {
		return nil, err
	}
	return set.Explain(from, to, port)
}

func outcomeOf(flows []*netpol.Explanation) netpol.Outcome {
	for _, e := range flows {
		if e.Outcome != flows[0].Outcome {
			return "mixed"
		}
	}
	return flows[0].Outcome
}

func show(w io.Writer, indent string, e *netpol.Explanation) {
	for _, line := range e.Lines() {
		fmt.Fprintf(w, "%s%s\n", indent, global.Printable(line))
	}
}
