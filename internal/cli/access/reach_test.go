package access

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/hint"
)

func TestWhyAnEndpointIsSilent(t *testing.T) {
	machine := netip.MustParseAddr("198.18.0.1")
	const update = "it lets this machine in after: aws eks update-cluster-config --name c --resources-vpc-config "
	const shell = "eksact shell is inside its VPC: eksact shell -- kubectl get nodes"
	for _, tt := range []struct {
		sources  string
		terminal bool
		want     string // "" is open
		hints    []string
	}{
		{sources: "0.0.0.0/0"},
		{sources: "4.4.4.0/24 198.18.0.1/32", terminal: true},
		{"", true, "it has no public endpoint, and this machine is outside its VPC", []string{shell, update + "endpointPublicAccess=true"}},
		{"", false, "it has no public endpoint, and this machine is outside its VPC", []string{update + "endpointPublicAccess=true"}},
		{"4.4.4.0/24 198.18.0.3/32", true, "its public endpoint answers 4.4.4.0/24,198.18.0.3/32, not this machine, which is 198.18.0.1 there",
			[]string{shell, update + "publicAccessCidrs=4.4.4.0/24,198.18.0.3/32,198.18.0.1/32"}},
	} {
		c := daemon.Connection{Name: "c", Terminal: tt.terminal}
		for _, p := range strings.Fields(tt.sources) {
			c.Sources = append(c.Sources, netip.MustParsePrefix(p))
		}
		err := shut(c, machine)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%q: %v", tt.sources, err)
			}
			continue
		}
		if err == nil || err.Error() != "cluster c can't be reached from here: "+tt.want || !slices.Equal(hint.Lines(err), tt.hints) {
			t.Errorf("%q: %v\n%q", tt.sources, err, hint.Lines(err))
		}
	}
}

func TestAContextsCluster(t *testing.T) {
	k := kubeconfig{CurrentContext: "one", Contexts: []entry{
		{Name: "one", Context: map[string]any{"cluster": "arn:one"}},
		{Name: "two", Context: map[string]any{"cluster": "arn:two"}},
		{Name: "none"},
	}}
	for context, want := range map[string]string{"": "arn:one", "two": "arn:two", "none": "", "other": ""} {
		if got := k.clusterOf(context); got != want {
			t.Errorf("context %q: %q", context, got)
		}
	}
}
