package endpoint

import (
	"strings"
	"testing"

	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/uplink"
)

// house is the lab on a machine of its own.
type house struct {
	*lab.Lab
	shell, laptop lab.Terminal // in the VPC and outside
}

func TestEndpoint(t *testing.T) {
	lab.Need(t)
	machine := uplink.New(t)
	h := &house{Lab: lab.New(t)}
	h.Images(t, "test/images/busybox.yaml")
	h.On = machine.Here
	h.Up(t)
	h.shell, h.laptop = h.Shell().AWS(t, "2"), h.Laptop().AWS(t, "2")
	h.laptop.Must(t, "aws eks update-kubeconfig --name cluster", "context arn:aws:eks")
	for _, x := range []lab.Terminal{h.shell, h.laptop} {
		x.Must(t, "kubectl get nodes", " Ready ")
		// A token lasts a quarter of an hour: each line need not start the AWS CLI.
		x.Must(t, "kubectl config set-credentials fixed --token=$(aws eks get-token --cluster-name cluster | jq -r .status.token) && kubectl config set-context --current --user=fixed", "modified")
	}

	t.Run("who reaches it in each mode", h.access)
	lab.Together(t, // a minute goes by until the nodes are missed
		lab.Part{Name: "nodes without a way in", Test: h.shutOut},
		lab.Part{Name: "names of Route 53", Test: h.zones},
		lab.Part{Name: "what is told of add-ons", Test: h.described},
	)
	t.Run("names in pods", h.names)
	t.Run("add-ons", h.addons)

	// The laptop tries the private addresses that the name leads to: they are the
	// business of whatever network it is in.
	machine.Control()
	for _, packet := range machine.Sent() {
		if !strings.HasPrefix(packet, "tcp to 10.0.") || !strings.HasSuffix(packet, ":443") {
			t.Errorf("left the machine: %s", packet)
		}
	}
}
