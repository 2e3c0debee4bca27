package lab

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/hosts"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/node/keep"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// run runs a command that must succeed.
func run(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
		t.Fatalf("$ %s\n%s%v", line, out, err)
	}
}

// TestWhatIsLeftIsSeen leaves one of each, as a bad down would.
func TestWhatIsLeftIsSeen(t *testing.T) {
	Need(t)
	state := t.TempDir()
	l := &Lab{State: state, t: t, before: look(state)}
	if left := l.left(l.places()); len(left) > 0 {
		t.Fatalf("before anything was left: %q", left)
	}

	world := RunDir + "/netns/leak"
	check(t, os.MkdirAll(filepath.Dir(world), 0o711))
	check(t, netns.Create(world))
	defer os.Remove(filepath.Dir(world))
	defer netns.Delete(world)
	defer exec.Command("ip", "link", "del", "eksact9").Run()
	run(t, "ip link add eksact9 type veth peer name eksact9p && ip address add 198.18.9.1/32 dev eksact9 && ip link set eksact9 up && ip route add 198.18.9.2/32 dev eksact9")
	check(t, exec.Command("nft", "add", "table", "ip", "eksact-leak").Run())
	defer exec.Command("nft", "delete", "table", "ip", "eksact-leak").Run()
	check(t, syscall.Mount("none", state, "tmpfs", 0, ""))
	defer syscall.Unmount(state, 0)
	tree, err := cgroup.Open()
	check(t, err)
	check(t, tree.Make(keep.Cgroup+"/leak"))
	defer tree.Remove(keep.Cgroup, time.Second)
	check(t, hosts.Set(hosts.File, []hosts.Entry{{Name: "leak.example", Address: netip.MustParseAddr("198.18.9.9")}}))
	defer hosts.Remove(hosts.File)
	// An orphan: the test's own children are not the lab's.
	var sleeper int
	check(t, netns.Do(world, func() error {
		out, err := exec.Command("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!").Output()
		if err != nil {
			return err
		}
		sleeper, err = strconv.Atoi(strings.TrimSpace(string(out)))
		return err
	}))
	defer syscall.Kill(sleeper, syscall.SIGKILL)

	left := strings.Join(l.left(l.places()), "\n")
	for _, kind := range []string{"mount " + state, "link eksact9", "route 198.18.9.2 dev eksact9", "packet rule table ip eksact-leak", "control group /sys", "hosts entry", "run file " + world, "process "} {
		if !strings.Contains(left, kind) {
			t.Errorf("%q is not among what was left:\n%s", kind, left)
		}
	}
}

// TestWhatOtherTestsMakeIsNotCounted makes a network as those of other packages do.
func TestWhatOtherTestsMakeIsNotCounted(t *testing.T) {
	Need(t)
	state := t.TempDir()
	l := &Lab{State: state, t: t, before: look(state)}
	network := vpctest.Open(t)
	if name := network.HostLink(); !strings.HasPrefix(name, foreign) {
		t.Errorf("the link of a test's network is %s, want %s…", name, foreign)
	}
	for _, left := range l.left(places{}) {
		t.Errorf("counted: %s", left)
	}
}

// TestAKilledTestIsCleanedUpAfter kills a process that stands guard, as a
// time-out kills a test's.
func TestAKilledTestIsCleanedUpAfter(t *testing.T) {
	if mark := os.Getenv("LAB_GUARDED"); mark != "" {
		guard(t, []string{"touch", mark})
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	dir := t.TempDir()
	killed, dismissed := filepath.Join(dir, "killed"), filepath.Join(dir, "dismissed")
	self := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	self.Env = append(os.Environ(), "LAB_GUARDED="+killed)
	if err := self.Run(); err == nil {
		t.Fatal("the guarded process was not killed")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(killed); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing was run after the guarded process was killed")
		}
	}

	guard(t, []string{"touch", dismissed}).dismiss()
	if _, err := os.Stat(dismissed); err == nil {
		t.Error("a dismissed guard ran its command")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsAskedAgain(t *testing.T) {
	for line, want := range map[string]bool{
		"kubectl get nodes": true,
		"kubectl --context second -n kube-system get pods -o wide":            true,
		"kubectl exec names -- nslookup kubernetes.default":                   true,
		"aws eks describe-cluster --name cluster | jq .cluster.status":        true,
		"nslookup www.example.com":                                            true,
		"curl --silent --fail http://web":                                     true,
		"kubectl get pods --watch":                                            false,
		"kubectl get pods && kubectl delete pod web":                          false,
		"kubectl exec web -- touch /tmp/stop":                                 false,
		"kubectl delete pod web":                                              false,
		"curl -X POST http://web":                                             false,
		"aws sts get-session-token":                                           false,
		"aws sts assume-role --role-arn x --role-session-name y":              false,
		"aws eks create-access-entry --cluster-name cluster":                  false,
		"kubectl get configmap aws-auth -n kube-system -o yaml > a.yaml":      false,
		"kubectl get nodes -o name | xargs kubectl cordon":                    false,
		"url=$(kubectl get service web -o jsonpath={.status}); curl -d @x $u": false,
	} {
		if got := asks(line); got != want {
			t.Errorf("asks(%q) = %v", line, got)
		}
	}
}
