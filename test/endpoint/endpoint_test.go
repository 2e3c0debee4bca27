package endpoint

import (
	"strings"
	"testing"

	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/uplink"
)

func TestAccess(t *testing.T) { onUplink(t, access) }

func TestNodesWithoutAWayIn(t *testing.T) { onUplink(t, shutOut) }

// onUplink runs a test of a cluster's endpoint, in the VPC and outside.
func onUplink(t *testing.T, test func(t *testing.T, shell, laptop lab.Terminal)) {
	lab.Need(t)
	machine := uplink.New(t)
	l := lab.New(t)
	l.On = machine.Here
	l.Up(t)
	shell, laptop := l.Shell().AWS(t, "2"), l.Laptop().AWS(t, "2")
	laptop.Must(t, "aws eks update-kubeconfig --name cluster", "context arn:aws:eks")
	shell.Must(t, "kubectl get nodes", " Ready ")
	test(t, shell, laptop)
	// The laptop tries the private addresses that the name leads to: they are the
	// business of whatever network it is in.
	for _, packet := range machine.Sent() {
		if !strings.HasPrefix(packet, "tcp to 10.0.") || !strings.HasSuffix(packet, ":443") {
			t.Errorf("left the machine: %s", packet)
		}
	}
}

func TestAddons(t *testing.T) {
	l := lab.Start(t)
	addons(t, l.Shell().AWS(t, "2"))
}
