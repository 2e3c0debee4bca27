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
		"kubectl --context second -n kube-system get pods -o wide":                      true,
		"kubectl exec names -- nslookup kubernetes.default":                             true,
		"aws eks describe-cluster --name cluster | jq .cluster.status":                  true,
		"nslookup www.example.com":                                                      true,
		"kubectl get nodes 2>&1; aws eks list-nodegroups --cluster-name c":              true,
		"aws eks update-kubeconfig --name app && kubectl get nodes -l a=b":              true,
		"kubectl --context second exec caller -- timeout 3 wget -qO- http://10.0.0.1/":  true,
		"kubectl exec --namespace user1 deploy/nginx -- curl --max-time 2 http://web":   true,
		"kubectl exec --namespace apps a -- bash -c 'curl -s -H \"A: $(cat $F)\" $URL'": true,
		"kubectl exec web -- nc 10.0.0.1 5432 </dev/null":                               true,
		"inside curl -sk -o /dev/null https://198.18.0.2/":                              true,
		"timeout 20 curl -sS http://10.0.0.1:8080/ | wc -c":                             true,
		"KUBECONFIG=~/.kube/config-admin kubectl get nodes":                             true,
		"kubectl exec web -- sh -c 'cat /x; rm /x'":                                     false,
		"kubectl exec web -- sh -c 'wget -qO- http://a >/tmp/a'":                        false,
		"kubectl exec -i web -- cat":                                                    false,
		"kubectl config view; kubectl get nodes":                                        false,
		"kubectl get nodes || kubectl delete node a":                                    false,
		"kubectl get role a -o json | kubectl apply -f -":                               false,
		"aws s3 ls | tee a": false,
		"aws ec2 run-instances --dry-run && aws ec2 describe-instances":       false,
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

// told is a terminal that answers its lines in turn.
func told(t *testing.T, answers string) Terminal {
	t.Helper()
	file := filepath.Join(t.TempDir(), "n")
	return Terminal{command: func(string) *exec.Cmd {
		return exec.Command("sh", "-c", `n=$(($(cat "$0" 2>/dev/null)+1)); echo $n >"$0"; case $n in `+answers+` esac`, file)
	}}
}

func TestLinesAreTypedAgain(t *testing.T) {
	t.Setenv("EKSACT_NOTES", "")
	const ask = "kubectl get nodes"
	if out := told(t, `1) echo NotReady;; 2) exit 1;; *) echo Ready now;;`).Must(t, ask, "Ready now"); out != "Ready now" {
		t.Errorf("Must: %q", out)
	}
	if out := told(t, `1) echo timeout; exit 1;; *) echo Forbidden; exit 1;;`).Refused(t, ask, "Forbidden"); out != "Forbidden" {
		t.Errorf("Refused: %q", out)
	}
	if out, err := told(t, `1) echo error dialing backend: EOF; exit 1;; *) echo done;;`).Run("kubectl exec a -- touch b"); err != nil || out != "done" {
		t.Errorf("a line that did not reach its pod: %q, %v", out, err)
	}
	if out, err := told(t, `1) echo no; exit 1;; *) echo done;;`).Run("kubectl delete pod a"); err == nil {
		t.Errorf("a line that failed was typed again: %q", out)
	}
	// A leak fails at once, at first and later.
	for _, answers := range []string{`1) echo leak;; *) echo Forbidden; exit 1;;`, `1) echo timeout; exit 1;; 2) echo leak;; *) echo Forbidden; exit 1;;`} {
		failed := &failing{TB: t}
		func() {
			defer func() { _ = recover() }()
			told(t, answers).Refused(failed, ask, "Forbidden")
		}()
		if !failed.failed {
			t.Errorf("with %s nothing failed", answers)
		}
	}
}

// failing is a test that is to fail.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Fatalf(string, ...any) { f.failed = true; panic("it fails") }
