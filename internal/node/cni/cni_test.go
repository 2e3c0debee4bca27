package cni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// The test program is the plugin when a runtime (the tests below) calls it.
func TestMain(m *testing.M) {
	if os.Getenv("CNI_COMMAND") != "" {
		Main()
		return
	}
	os.Exit(m.Run())
}

func TestChoose(t *testing.T) {
	now := time.Unix(1000, 0)
	ago := func(d time.Duration) lease { at := now.Add(-d); return lease{Released: &at} }
	a := netip.MustParseAddr
	block := []netip.Prefix{netip.MustParsePrefix("10.0.65.0/31"), netip.MustParsePrefix("10.0.66.0/32")}
	held := lease{Container: "c"}
	tests := []struct {
		name string
		all  map[netip.Addr]lease
		want string
		wait time.Duration
	}{
		{"first of all", nil, "10.0.65.0", 0},
		{"never used before rested", map[netip.Addr]lease{a("10.0.65.0"): ago(time.Hour), a("10.0.65.1"): held}, "10.0.66.0", 0},
		{"longest rested", map[netip.Addr]lease{a("10.0.65.0"): ago(40 * time.Second), a("10.0.65.1"): ago(50 * time.Second), a("10.0.66.0"): held}, "10.0.65.1", 0},
		{"still resting", map[netip.Addr]lease{a("10.0.65.0"): ago(5 * time.Second), a("10.0.65.1"): ago(10 * time.Second), a("10.0.66.0"): held}, "", 20 * time.Second},
		{"all held", map[netip.Addr]lease{a("10.0.65.0"): held, a("10.0.65.1"): held, a("10.0.66.0"): held}, "", 0},
		{"clock set back", map[netip.Addr]lease{a("10.0.65.0"): ago(-time.Hour), a("10.0.65.1"): held, a("10.0.66.0"): held}, "10.0.65.0", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, wait, ok := choose(block, test.all, 30*time.Second, now)
			if ok != (test.want != "") || ok && got.String() != test.want || wait != test.wait {
				t.Errorf("got %v, wait %v, %v; want %q, wait %v", got, wait, ok, test.want, test.wait)
			}
		})
	}
}

func TestParse(t *testing.T) {
	if _, err := parse([]byte(pluginConfig(t, Config(Node{Pods: []netip.Prefix{netip.MustParsePrefix("10.0.65.32/27")}}), nil))); err != nil {
		t.Fatalf("our own configuration: %v", err)
	}
	for name, text := range map[string]string{
		"no blocks":     `{"cniVersion":"1.1.0","name":"n"}`,
		"not aligned":   `{"cniVersion":"1.1.0","name":"n","pods":["10.0.65.1/27"]}`,
		"IPv6":          `{"cniVersion":"1.1.0","name":"n","pods":["fd00::/96"]}`,
		"too large":     `{"cniVersion":"1.1.0","name":"n","pods":["10.0.0.0/8"]}`,
		"bad cooldown":  `{"cniVersion":"1.1.0","name":"n","pods":["10.0.65.0/27"],"cooldown":"soon"}`,
		"not an object": `[]`,
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestHostPortsOfConfig(t *testing.T) {
	pod := netip.MustParseAddr("10.0.65.3")
	for _, test := range []struct {
		in   portMapping
		want int
		ok   bool
	}{
		{portMapping{8080, 80, "TCP", ""}, 1, true},
		{portMapping{8080, 80, "udp", "0.0.0.0"}, 1, true},
		{portMapping{8080, 80, "", "::"}, 1, true},
		{portMapping{0, 80, "TCP", ""}, 0, true},
		{portMapping{8080, 80, "TCP", "fd00::1"}, 0, false},
		{portMapping{70000, 80, "TCP", ""}, 0, false},
		{portMapping{80, 0, "TCP", ""}, 0, false},
		{portMapping{80, 80, "ICMP", ""}, 0, false},
	} {
		c := &config{}
		c.RuntimeConfig.PortMappings = []portMapping{test.in}
		got, err := c.hostPorts(pod)
		if len(got) != test.want || (err == nil) != test.ok {
			t.Errorf("%+v: %v, %v", test.in, got, err)
		}
	}
}

// node is a node of a test network, with the plugin's state in a directory.
type node struct {
	ns    string
	addr  netip.Addr
	state string
	conf  string // configuration of the list
	made  int
}

func nodes(t testing.TB, count int) (out []*node, world string) {
	t.Helper()
	n := vpctest.Open(t)
	for i := range count {
		addr, pods := vpctest.Private(n.Config, i)
		ns, err := n.AttachNode(context.Background(), fmt.Sprint("i-", i), addr, pods)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &node{ns: ns, addr: addr, state: t.TempDir(), conf: Config(Node{Pods: []netip.Prefix{pods}})})
	}
	return out, n.World()
}

// pod is one attachment.
type pod struct {
	id   string
	ns   string
	addr netip.Addr
	text string // the plugin's result
}

// newNS makes a pod's namespace.
func (n *node) newNS(t testing.TB) pod {
	t.Helper()
	n.made++
	p := pod{id: fmt.Sprintf("sandbox%d", n.made), ns: filepath.Join(t.TempDir(), "ns")}
	if err := netns.Create(p.ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netns.Delete(p.ns) })
	return p
}

func (n *node) add(t testing.TB, extra map[string]any) pod {
	t.Helper()
	p := n.newNS(t)
	out, err := n.call(t, "ADD", p, extra)
	if err != nil {
		t.Fatal(err)
	}
	res, err := current.NewResult([]byte(out))
	if err != nil {
		t.Fatalf("result %s: %v", out, err)
	}
	p.text = out
	ip := res.(*current.Result).IPs[0].Address.IP
	p.addr, _ = netip.AddrFromSlice(ip.To4())
	return p
}

// call runs the plugin as a runtime does: a process in the node's namespace.
func (n *node) call(t testing.TB, command string, p pod, extra map[string]any) (string, error) {
	t.Helper()
	if extra == nil {
		extra = map[string]any{}
	}
	extra["stateDir"] = n.state
	cmd := exec.Command(os.Args[0])
	cmd.Args[0] = Name
	cmd.Stdin = strings.NewReader(pluginConfig(t, n.conf, extra))
	cmd.Env = []string{"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + p.id, "CNI_NETNS=" + p.ns, "CNI_IFNAME=eth0", "CNI_PATH=/", "CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + p.id + ";K8S_POD_UID=uid-of-" + p.id}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := netns.Do(n.ns, cmd.Run)
	if err != nil {
		var e types.Error
		if json.Unmarshal(out.Bytes(), &e) == nil && e.Msg != "" {
			return "", &e
		}
		t.Fatalf("%s: %v: %s%s", command, err, &out, &errOut)
	}
	return out.String(), nil
}

// pluginConfig is what a runtime makes of a list for its one plugin.
func pluginConfig(t testing.TB, list string, extra map[string]any) string {
	t.Helper()
	var l struct {
		CNIVersion string           `json:"cniVersion"`
		Name       string           `json:"name"`
		Plugins    []map[string]any `json:"plugins"`
	}
	if err := json.Unmarshal([]byte(list), &l); err != nil {
		t.Fatal(err)
	}
	conf := l.Plugins[0]
	conf["cniVersion"], conf["name"] = l.CNIVersion, l.Name
	for k, v := range extra {
		conf[k] = v
	}
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func reach(t testing.TB, from string, to netip.AddrPort) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := netns.Dial(from)(ctx, "tcp4", to.String())
	if err != nil {
		t.Fatalf("reaching %s: %v", to, err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(buf[:n]))
}

func TestPods(t *testing.T) {
	ns, world := nodes(t, 2)
	a, b, c := ns[0].add(t, nil), ns[0].add(t, nil), ns[1].add(t, nil)
	vpctest.Serve(t, b.ns, ":80", "b")
	vpctest.Serve(t, c.ns, ":80", "c")
	vpctest.Serve(t, ns[0].ns, ":10250", "kubelet")
	for name, test := range map[string]struct {
		from string
		to   netip.AddrPort
		want string
	}{
		"pod to a pod of the same node": {a.ns, netip.AddrPortFrom(b.addr, 80), "b " + a.addr.String()},
		"pod to a pod of another node":  {a.ns, netip.AddrPortFrom(c.addr, 80), "c " + a.addr.String()},
		"pod to itself":                 {b.ns, netip.AddrPortFrom(b.addr, 80), "b " + b.addr.String()},
		"pod to its own loopback":       {b.ns, netip.MustParseAddrPort("127.0.0.1:80"), "b 127.0.0.1"},
		"pod to its node":               {a.ns, netip.AddrPortFrom(ns[0].addr, 10250), "kubelet " + a.addr.String()},
		"pod to another node":           {c.ns, netip.AddrPortFrom(ns[0].addr, 10250), "kubelet " + c.addr.String()},
		"node to its pod":               {ns[0].ns, netip.AddrPortFrom(b.addr, 80), "b " + ns[0].addr.String()},
		"node to another's pod":         {ns[0].ns, netip.AddrPortFrom(c.addr, 80), "c " + ns[0].addr.String()},
	} {
		if got := reach(t, test.from, test.to); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	for name, to := range map[string]string{"the Internet": "203.0.113.1:80", "a pod address nobody has": netip.AddrPortFrom(b.addr.Next(), 80).String()} {
		for range 8 {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			start := time.Now()
			if conn, err := netns.Dial(a.ns)(ctx, "tcp4", to); err == nil {
				conn.Close()
				t.Fatalf("a pod reached %s", name)
			} else if errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 9*time.Second {
				t.Fatalf("a pod was not refused by %s: %v", name, err)
			}
		}
	}
	if _, err := ns[0].call(t, "CHECK", b, map[string]any{"prevResult": json.RawMessage(b.text)}); err != nil {
		t.Errorf("CHECK: %v", err)
	}
	if _, err := ns[0].call(t, "CHECK", b, map[string]any{"prevResult": json.RawMessage(a.text)}); err == nil {
		t.Error("CHECK accepted another pod's result")
	}
	if _, err := ns[0].call(t, "STATUS", pod{}, nil); err != nil {
		t.Errorf("STATUS: %v", err)
	}
	_ = world
}

func TestResult(t *testing.T) {
	ns, _ := nodes(t, 1)
	p := ns[0].add(t, nil)
	var r current.Result
	if err := json.Unmarshal([]byte(p.text), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Interfaces) != 2 || r.Interfaces[0].Sandbox != "" || r.Interfaces[1].Sandbox != p.ns || r.Interfaces[1].Name != "eth0" || r.Interfaces[1].Mtu != 9001 {
		t.Errorf("interfaces %v", r.Interfaces)
	}
	if len(r.IPs) != 1 || r.IPs[0].Address.Mask.String() != "ffffffff" || r.IPs[0].Gateway.String() != "169.254.1.1" || *r.IPs[0].Interface != 1 {
		t.Errorf("addresses %v", r.IPs)
	}
	if !strings.HasPrefix(r.Interfaces[0].Name, VethPrefix) {
		t.Errorf("node's end is named %s", r.Interfaces[0].Name)
	}
}

func TestDel(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	p := n.add(t, nil)
	for i := range 2 {
		if _, err := n.call(t, "DEL", p, nil); err != nil {
			t.Fatalf("DEL number %d: %v", i+1, err)
		}
	}
	if _, err := n.call(t, "CHECK", p, nil); err == nil {
		t.Error("CHECK of a deleted pod succeeded")
	}
	if left := n.links(t); len(left) != 0 {
		t.Errorf("links left: %v", left)
	}
	if next := n.add(t, nil); next.addr == p.addr {
		t.Errorf("%s was given again without rest", p.addr)
	}
	// A pod whose namespace is gone, and one that never was.
	gone := n.add(t, nil)
	netns.Delete(gone.ns)
	for _, p := range []pod{gone, {id: "unknown", ns: ""}} {
		if _, err := n.call(t, "DEL", p, nil); err != nil {
			t.Errorf("DEL of %s: %v", p.id, err)
		}
	}
}

func (n *node) links(t *testing.T) (out []string) {
	t.Helper()
	err := netns.Do(n.ns, func() error {
		h, err := netlink.NewHandle()
		if err != nil {
			return err
		}
		defer h.Close()
		links, err := h.LinkList()
		for _, l := range links {
			if strings.HasPrefix(l.Attrs().Name, VethPrefix) {
				out = append(out, l.Attrs().Name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExhaustion(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	n.conf = Config(Node{Pods: []netip.Prefix{netip.PrefixFrom(n.addr.Next(), 32)}})
	p := n.add(t, nil)
	_, err := n.call(t, "ADD", n.newNS(t), nil)
	var e *types.Error
	if !errors.As(err, &e) || e.Code != types.ErrTryAgainLater {
		t.Fatalf("ADD on a full node: %v", err)
	}
	if _, err := n.call(t, "STATUS", pod{}, nil); err != nil {
		t.Errorf("a full node is not broken, but STATUS says %v", err)
	}
	if _, err := n.call(t, "DEL", p, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.call(t, "ADD", n.newNS(t), nil); err == nil || !strings.Contains(err.Error(), "is free in") {
		t.Fatalf("ADD while the address rests: %v", err)
	}
	if again := n.add(t, map[string]any{"cooldown": "0s"}); again.addr != p.addr {
		t.Fatalf("got %v after the rest, want %v", again.addr, p.addr)
	}
}

// An ADD that died after its lease was written, and a node that lost all links,
// leave leases without links: they are taken back when addresses run out.
func TestCrashedAddIsReclaimed(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	n.conf = Config(Node{Pods: []netip.Prefix{netip.PrefixFrom(n.addr.Next(), 32)}})
	s, err := openLeases(n.state)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(lease{addr: n.addr.Next(), Container: "dead", IfName: "eth0", Veth: "enidead"}); err != nil {
		t.Fatal(err)
	}
	s.close()
	if err := os.WriteFile(filepath.Join(n.state, "10.0.0.1.new"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.add(t, nil)
}

// The runtime may repeat an ADD whose answer it did not get.
func TestRepeatedAdd(t *testing.T) {
	ns, _ := nodes(t, 1)
	p := ns[0].add(t, nil)
	if _, err := ns[0].call(t, "ADD", p, nil); err != nil {
		t.Fatal(err)
	}
	if got := ns[0].links(t); len(got) != 1 {
		t.Fatalf("links %v", got)
	}
}

func TestFailedAddLeavesNothing(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	if _, err := n.call(t, "ADD", pod{id: "x", ns: filepath.Join(t.TempDir(), "nowhere")}, nil); err == nil {
		t.Fatal("ADD to no namespace succeeded")
	}
	if left, _ := filepath.Glob(filepath.Join(n.state, "*.*")); len(left) != 0 || len(n.links(t)) != 0 {
		t.Errorf("left: %v %v", left, n.links(t))
	}
}

func TestGC(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	keep, lose := n.add(t, nil), n.add(t, nil)
	if _, err := n.call(t, "GC", pod{}, map[string]any{"cni.dev/valid-attachments": []map[string]string{{"containerID": keep.id, "ifname": "eth0"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.call(t, "CHECK", keep, nil); err != nil {
		t.Errorf("the valid one: %v", err)
	}
	if _, err := n.call(t, "CHECK", lose, nil); err == nil {
		t.Error("the other is still there")
	}
}

func TestHostPort(t *testing.T) {
	ns, world := nodes(t, 2)
	mapping := func(host, container int, ip string) map[string]any {
		return map[string]any{"runtimeConfig": map[string]any{"portMappings": []portMapping{{host, container, "TCP", ip}}}}
	}
	web := ns[0].add(t, mapping(8080, 80, ""))
	bound := ns[0].add(t, mapping(9090, 80, ns[0].addr.String()))
	other := ns[0].add(t, nil)
	vpctest.Serve(t, web.ns, ":80", "web")
	vpctest.Serve(t, bound.ns, ":80", "bound")
	port := func(p uint16) netip.AddrPort { return netip.AddrPortFrom(ns[0].addr, p) }
	for name, test := range map[string]struct {
		from string
		to   netip.AddrPort
		want string
	}{
		"from another node":   {ns[1].ns, port(8080), "web " + ns[1].addr.String()},
		"from the node":       {ns[0].ns, port(8080), "web " + ns[0].addr.String()},
		"from a pod":          {other.ns, port(8080), "web " + other.addr.String()},
		"from itself":         {web.ns, port(8080), "web " + "169.254.1.1"},
		"on one host address": {world, port(9090), "bound"},
	} {
		got := reach(t, test.from, test.to)
		if name == "from itself" {
			// Any sender but itself will do: without one, the answer would not come.
			got, test.want = strings.Fields(got)[0], "web"
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if _, err := ns[0].call(t, "ADD", ns[0].newNS(t), mapping(8080, 81, "")); err == nil || !strings.Contains(err.Error(), "8080") {
		t.Errorf("a second pod got the same host port: %v", err)
	}
	if _, err := ns[0].call(t, "DEL", web, nil); err != nil {
		t.Fatal(err)
	}
	if conn, err := netns.Dial(ns[1].ns)(context.Background(), "tcp4", port(8080).String()); err == nil {
		conn.Close()
		t.Error("the port still answers after the pod has gone")
	}
	if got := reach(t, world, port(9090)); !strings.HasPrefix(got, "bound") {
		t.Errorf("the other host port: %q", got)
	}
}

// One ADD and one DEL, as processes; their shares are reported each.
func BenchmarkAddDel(b *testing.B) {
	ns, _ := nodes(b, 1)
	n := ns[0]
	p := n.newNS(b)
	var added, deleted time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := n.call(b, "ADD", p, map[string]any{"cooldown": "0s"}); err != nil {
			b.Fatal(err)
		}
		half := time.Now()
		if _, err := n.call(b, "DEL", p, nil); err != nil {
			b.Fatal(err)
		}
		added += half.Sub(start)
		deleted += time.Since(half)
	}
	b.ReportMetric(float64(added.Microseconds())/1000/float64(b.N), "ms/ADD")
	b.ReportMetric(float64(deleted.Microseconds())/1000/float64(b.N), "ms/DEL")
}

// What a process start and reading the leases cost: the floor of the others.
func BenchmarkStatus(b *testing.B) {
	ns, _ := nodes(b, 1)
	for b.Loop() {
		if _, err := ns[0].call(b, "STATUS", pod{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
