package netpol

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/test/lab"
)

const liveCases = `
manifests: [not/read/live.yaml]
cases:
- {name: clients reach servers, from: [client-0, client-1], to: [server-0, server-1], port: 80, expect: allowed, policy: web}
- {name: on that port alone, from: client-0, to: [server-0, server-1], port: [81, 53/UDP], expect: denied}
- {name: others don't, from: server-0, to: server-1, port: 80, expect: denied, policy: web}
- {name: nothing keeps clients apart, from: client-0, to: client-1, port: [80, 81, 53/UDP], expect: allowed}
- {name: a pod reaches itself, from: server-0, to: server-0, port: [81, 53/UDP], expect: allowed}
- {name: the cluster's DNS, from: client-0, to: kube-system/deployment/coredns, port: [53/UDP, 53], expect: allowed}
`

// packets has files of cases tried live.
func (y *yard) packets(t *testing.T) {
	y.apply(t, policy("web", "server", "[{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]"))
	file := filepath.Join(y.State, "live.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(liveCases)
	out := y.Eksact(t, "netpol", "test", "--live", "-v", file)
	lab.Has(t, "netpol test --live", out, "others don't", "6 cases, ", "6 held, 0 failed\n")

	fails := func(why string, code int, wants ...string) {
		t.Helper()
		out, err := y.Command("netpol", "test", "--live", file).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != code {
			t.Errorf("%s: %s%v, want exit status %d", why, out, err, code)
		}
		lab.Has(t, "netpol test --live, "+why, string(out), wants...)
	}
	write("cases:\n- {from: server-0, to: server-1, port: 80, expect: allowed}")
	fails("a wrong expectation", 1, "expected allowed, packets were dropped (no answer within 1.5s; from the node, where no policy applies: ",
		"ingress: denied: selected by networkpolicy/default/web")
	write("cases:\n- {from: 198.51.100.7, to: server-1, port: 80, expect: denied}")
	fails("from outside", 3, "198.51.100.7 is no pod of the cluster")

	// Something else than policies is in the way.
	const way = "cases:\n- {from: client-0, to: server-1, port: 80, expect: allowed}"
	write(way)
	target := y.pod(t, "server-1").addr
	blocked := &netlink.Route{Dst: &net.IPNet{IP: target.AsSlice(), Mask: net.CIDRMask(32, 32)}, Type: unix.RTN_UNREACHABLE}
	inClient := func(fn func(*netlink.Route) error) {
		t.Helper()
		if err := netns.Do(y.netNS(t, y.pod(t, "client-0")), func() error { return fn(blocked) }); err != nil {
			t.Fatal(err)
		}
	}
	inClient(netlink.RouteAdd)
	fails("no way", 1, "differ "+file, "policies say allowed, packets were dropped (no way: no route to host; from the node")
	write(strings.Replace(way, "allowed", "denied", 1))
	lab.Has(t, "netpol test --live --junit -", y.Eksact(t, "netpol", "test", "--live", "--junit", "-", file), `failures="0"`, "<system-out>", "policies say allowed, packets were dropped")
	write(way)
	inClient(netlink.RouteDel)
	y.Eksact(t, "netpol", "test", "--live", file)
}
