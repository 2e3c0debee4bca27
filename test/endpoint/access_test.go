package endpoint

import (
	"bufio"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// Addresses on the Internet: the machine's, and those that the nodes (by the NAT
// gateway) and the terminal have there.
const (
	machine = "198.18.0.1/32"
	vpc     = "198.18.0.3/32,198.18.0.4/32"
)

// mode is a setting of endpoint access and who reaches the endpoint with it.
type mode struct {
	name, settings  string
	inside, outside string // where the name leads: "private" or "public"
	shell, laptop   bool   // who reaches it, in the VPC and outside
}

var modes = []mode{
	{"private", "endpointPublicAccess=false,endpointPrivateAccess=true", "private", "private", true, false},
	{"both", "endpointPublicAccess=true,endpointPrivateAccess=true", "private", "public", true, true},
	{"both, public for another", "publicAccessCidrs=4.4.4.0/24", "private", "public", true, false},
	{"public for the VPC", "endpointPrivateAccess=false,publicAccessCidrs=" + vpc, "public", "public", true, false},
	{"public for the machine and the VPC", "publicAccessCidrs=" + machine + "," + vpc, "public", "public", true, true},
	{"public", "publicAccessCidrs=0.0.0.0/0", "public", "public", true, true},
}

// access switches the endpoint through all modes and looks at it from both sides. The
// nodes must stay Ready all the time.
func (h *house) access(t *testing.T) {
	shell, laptop := h.shell, h.laptop
	host := shell.Must(t, "aws eks describe-cluster --name cluster --query cluster.endpoint --output text")[len("https://"):]
	before := readySince(t, shell)
	open := true // the laptop reached it before
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			var ended chan error
			if open {
				ended = follow(t, laptop)
			}
			id := shell.Must(t, "aws eks update-cluster-config --name cluster --resources-vpc-config "+m.settings+" --query update.id --output text")
			switched := time.Now()
			shell.Must(t, "aws eks wait cluster-active --name cluster")
			lab.Together(t,
				lab.Part{Name: "update", Test: func(t *testing.T) {
					shell.Must(t, "aws eks describe-update --name cluster --update-id "+id, `"EndpointAccessUpdate"`, `"Successful"`)
				}},
				lab.Part{Name: "inside", Test: func(t *testing.T) {
					leads(t, shell, host, m.inside)
					reaches(t, shell, m.shell)
					t.Logf("the nodes renewed their leases %.1f s after the switch", renewed(t, shell, switched).Seconds())
				}},
				lab.Part{Name: "outside", Test: func(t *testing.T) {
					leads(t, laptop, host, m.outside)
					reaches(t, laptop, m.laptop)
					h.told(t, m)
				}},
				lab.Part{Name: "what was open", Test: func(t *testing.T) {
					if open {
						checkEnded(t, ended, !m.laptop)
					}
				}},
			)
			open = m.laptop
		})
	}
	if after := readySince(t, shell); after != before {
		t.Errorf("nodes were not Ready all the time: since %s, at first %s", after, before)
	}
}

var answers = regexp.MustCompile(`Address: (\S+)`)

// leads checks where the endpoint's name leads.
func leads(t *testing.T, x lab.Terminal, host, want string) {
	t.Helper()
	line := "nslookup " + host
	out := x.Must(t, line)
	_, out, _ = strings.Cut(out, "Name:") // what precedes it is the server
	prefix := map[string]string{"public": "198.18.1.", "private": "10.0."}[want]
	found := answers.FindAllStringSubmatch(out, -1)
	if len(found) != 2 || slices.ContainsFunc(found, func(m []string) bool { return !strings.HasPrefix(m[1], prefix) }) {
		t.Errorf("$ %s\n%s\nwant two %s addresses", line, out, want)
	}
}

// reaches tries kubectl, and, where it is not to arrive, that it met silence.
func reaches(t *testing.T, x lab.Terminal, want bool) {
	t.Helper()
	if want {
		x.Must(t, "kubectl get nodes --request-timeout 30s", " Ready ")
		return
	}
	x.Refused(t, "kubectl get --raw /version --request-timeout 2s", "Unable to connect to the server: ")
}

// told checks that eksact's own kubectl says at once that it will not arrive, and why, and
// that what asks no cluster is not held up.
func (h *house) told(t *testing.T, m mode) {
	t.Helper()
	const get = "eksact kubectl get nodes"
	if m.laptop {
		h.laptop.Must(t, get, " Ready ")
		return
	}
	why, change := "it has no public endpoint", "endpointPublicAccess=true"
	if strings.Contains(m.settings, "publicAccessCidrs") {
		why, change = "not this machine, which is 198.18.0.1 there", "publicAccessCidrs="
	}
	const says = "eksact: cluster cluster can't be reached from here: "
	began := time.Now()
	out := h.laptop.Refused(t, get, says, why, "hint: it lets this machine in after: aws eks update-cluster-config --name cluster ", change)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%s took %v", get, took)
	}
	if strings.Contains(out, "hint: eksact shell is inside") != (m.inside == "private") {
		t.Errorf("with %s:\n%s", m.settings, out)
	}
	lab.Has(t, "eksact env", h.Eksact(t, "env"), "export KUBECONFIG=", says)
	h.laptop.Must(t, "eksact kubectl version --client", "Client Version")
}

// follow watches nodes by a connection that stays open, from when it has shown them,
// and tells when it has ended.
func follow(t *testing.T, x lab.Terminal) (ended chan error) {
	t.Helper()
	watch := x.Command("exec kubectl get nodes --watch --no-headers")
	out, err := watch.StdoutPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("kubectl get --watch showed nothing")
	}
	ended = make(chan error, 1)
	go func() {
		for lines.Scan() {
		}
		ended <- watch.Wait()
	}()
	t.Cleanup(func() { _ = watch.Process.Kill() })
	return ended
}

// checkEnded checks that what was followed ends with access, or goes on with it.
func checkEnded(t *testing.T, ended chan error, want bool) {
	t.Helper()
	within := 2 * time.Second
	if want {
		within = 30 * time.Second
	}
	select {
	case <-ended:
		if !want {
			t.Error("an open connection ended, though it may go on")
		}
	case <-time.After(within):
		if want {
			t.Error("a connection is open that may be no more")
		}
	}
}

// readySince tells since when each node is Ready.
func readySince(t *testing.T, sh lab.Terminal) string {
	t.Helper()
	return sh.Must(t, `kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{" "}{.status.conditions[?(@.type=="Ready")].lastTransitionTime}{"\n"}{end}'`, " True ")
}

// renewed returns how long it took until every node renewed its lease.
func renewed(t *testing.T, sh lab.Terminal, since time.Time) time.Duration {
	t.Helper()
	for time.Since(since) < lab.Busy*time.Minute {
		out := sh.Must(t, "kubectl get leases -n kube-node-lease -o jsonpath={.items[*].spec.renewTime}")
		late := slices.ContainsFunc(strings.Fields(out), func(text string) bool {
			at, err := time.Parse(time.RFC3339Nano, text)
			return err != nil || at.Before(since)
		})
		if !late && out != "" {
			return time.Since(since)
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("minutes after the switch the nodes have not renewed their leases")
	return 0
}

// shutOut leaves the nodes without a way to the API, as EKS does: they are NotReady
// until they have one.
func (h *house) shutOut(t *testing.T) {
	shell, laptop := h.shell, h.laptop
	update := "aws eks update-cluster-config --name cluster --resources-vpc-config %s && aws eks wait cluster-active --name cluster"
	shell.Must(t, fmt.Sprintf(update, "publicAccessCidrs="+machine))
	reaches(t, shell, false)
	laptop.Must(t, "kubectl wait --for=condition=Ready=Unknown node --all --timeout=180s && kubectl get nodes", " NotReady ")
	shell.Must(t, fmt.Sprintf(update, "endpointPrivateAccess=true"))
	open := time.Now()
	laptop.Must(t, "kubectl wait --for=condition=Ready node --all --timeout=180s")
	t.Logf("Ready %.1f s after they had a way again", time.Since(open).Seconds())
	shell.Must(t, fmt.Sprintf(update, "endpointPrivateAccess=false,publicAccessCidrs=0.0.0.0/0"))
	// Pods of nodes that were missed are not ready until their kubelet hears of it.
	shell.Must(t, "kubectl -n kube-system rollout status deployment coredns --timeout=180s")
}
