package endpoint

import (
	"strings"
	"testing"

	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/uplink"
)

func TestEndpoint(t *testing.T) {
	lab.Need(t)
	machine := uplink.New(t)
	l := lab.New(t)
	l.On = machine.Here
	l.Up(t)
	shell, laptop := l.Shell().AWS(t, "2"), l.Laptop().AWS(t, "2")
	shell.Must(t, "kubectl get nodes", " Ready ")
	t.Run("access", func(t *testing.T) { access(t, shell, laptop) })
	t.Run("no way in for the nodes", func(t *testing.T) { shutOut(t, shell, laptop) })
	t.Run("add-ons", func(t *testing.T) { addons(t, shell) })
	// The laptop tries the private addresses that the name leads to: they are the
	// business of whatever network it is in.
	for _, packet := range machine.Sent() {
		if !strings.HasPrefix(packet, "tcp to 10.0.") || !strings.HasSuffix(packet, ":443") {
			t.Errorf("left the machine: %s", packet)
		}
	}
}
