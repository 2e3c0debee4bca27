package daemon

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/version"
)

// StatusQuestion says what a status is to contain beyond the usual.
type StatusQuestion struct {
	Memory bool // of every program, which takes reading its page tables
}

func (d *Daemon) status(ctx context.Context, q StatusQuestion) (control.Status, error) {
	s := control.Status{
		Version: version.Version, Kubernetes: version.Kubernetes,
		Account: d.config.Account, Region: d.config.Region, Endpoint: d.config.SecureURL(), StateDir: d.config.StateDir, Started: d.started,
		Processes: d.processes(),
	}
	if q.Memory {
		for i := range s.Processes {
			s.Processes[i].Memory = proportional(treeOf(s.Processes[i].Pid, s.Processes[i].Name))
		}
	}
	select {
	case <-d.open:
	default:
		return s, nil // still starting: the clusters are not known yet
	}
	s.Clusters, _ = d.listClusters(ctx, struct{}{})
	var wg sync.WaitGroup
	for i := range s.Clusters {
		wg.Go(func() { d.markReady(ctx, &s.Clusters[i]) })
	}
	wg.Wait()
	return s, nil
}

// listClusters tells of the clusters what the records know of them, which asks none
// of them.
func (d *Daemon) listClusters(context.Context, struct{}) (all []control.Cluster, _ error) {
	for name, c := range d.eks.Clusters() {
		var issues []string
		for _, issue := range c.Issues {
			issues = append(issues, issue.Message)
		}
		all = append(all, control.Cluster{
			Name: name, Status: string(c.Status), Version: c.Version, Endpoint: "https://" + c.Host, Nodes: d.nodesOf(name),
			Issues: strings.Join(issues, ": "), Nodegroups: d.nodegroupsOf(name),
		})
	}
	return all, nil
}

func (d *Daemon) nodegroupsOf(cluster string) (all []control.Nodegroup) {
	for _, n := range d.eks.NodegroupsOf(cluster) {
		var issues []string
		for _, i := range n.Issues {
			issues = append(issues, i.Message)
		}
		all = append(all, control.Nodegroup{Name: n.Name, Status: n.Status, Desired: n.Desired, Issues: strings.Join(issues, ": ")})
	}
	return all
}

func (d *Daemon) nodesOf(cluster string) []control.Node {
	var all []control.Node
	for _, i := range d.instancesOf(cluster) {
		all = append(all, control.Node{ID: i.ID, Name: i.PrivateDNS, Address: i.PrivateIP.String(), Role: i.ProfileARN})
	}
	return all
}

// markReady asks the cluster which of its nodes are ready.
func (d *Daemon) markReady(ctx context.Context, c *control.Cluster) {
	d.mu.Lock()
	k := d.clusters[c.Name]
	d.mu.Unlock()
	if k == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// From the watch cache: a status is no place to wait for a quorum.
	nodes, err := k.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return
	}
	for _, n := range nodes.Items {
		for i := range c.Nodes {
			if c.Nodes[i].Name == n.Name {
				c.Nodes[i].Ready = ready(&n)
			}
		}
	}
}

func ready(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// processes lists what the keeper and the nodes' inits run.
func (d *Daemon) processes() []control.Process {
	var all []control.Process
	add := func(prefix string, c supervise.Client, onHost func(pid int) int) {
		states, err := c.List()
		if err != nil {
			return // a node that is starting
		}
		for _, s := range states {
			all = append(all, control.Process{
				Name: prefix + s.Name, Pid: onHost(s.Pid), Started: s.Started, Restarts: s.Restarts, LastExit: s.LastExit,
			})
		}
	}
	add("", d.keeper, func(pid int) int { return pid })
	inits := map[string]int{} // by the keeper's name for them
	for _, p := range all {
		inits[p.Name] = p.Pid
	}
	d.mu.Lock()
	nodes := make([]*node, 0, len(d.nodes))
	for _, n := range d.nodes {
		nodes = append(nodes, n)
	}
	d.mu.Unlock()
	for _, n := range nodes {
		add(n.config.Describe()+"/", supervise.Client{Path: n.config.ControlSocket()}, func(pid int) int {
			return hostPID(inits["node-"+n.record.ID], pid)
		})
	}
	return all
}

// treeOf returns the pids that count for a process in a measure of memory: of a
// node, all of its pid namespace; of a program inside one, none, for it is
// counted there.
func treeOf(pid int, name string) []int {
	if strings.Contains(name, "/") || pid == 0 {
		return nil
	}
	if !strings.HasPrefix(name, "node-") {
		return []int{pid}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, childrenOf(all[i])...)
	}
	return all
}

// hostPID is the host's number of a program that a node's init started, whose own
// namespace numbers it inner; 0 when it is not there.
func hostPID(init, inner int) int {
	for _, pid := range childrenOf(init) {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(data)) {
			numbers, ok := strings.CutPrefix(line, "NSpid:")
			if fields := strings.Fields(numbers); ok && len(fields) > 0 && fields[len(fields)-1] == strconv.Itoa(inner) {
				return pid
			}
		}
	}
	return 0
}

// childrenOf are the children of a process, whichever of its threads started
// them: the kernel lists them by thread.
func childrenOf(pid int) []int {
	var children []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		data, _ := os.ReadFile(list) // a thread that has ended has none
		for _, field := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// proportional sums the proportional set sizes of processes, in bytes.
func proportional(pids []int) (sum int64) {
	for _, pid := range pids {
		f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == "Pss:" {
				n, _ := strconv.ParseInt(fields[1], 10, 64)
				sum += n << 10
			}
		}
		f.Close()
	}
	return sum
}

// Connection is how a client reaches a cluster.
type Connection struct {
	Name       string `json:"name"`
	ARN        string `json:"arn"`
	Address    string `json:"address"`    // of the public endpoint
	ServerName string `json:"serverName"` // in its certificate
	CA         string `json:"ca"`         // PEM, in base64

	// Sources are the ranges that reach the public endpoint; none while there is none.
	Sources []netip.Prefix `json:"sources"`
	// Terminal says that eksact shell reaches it by its private addresses.
	Terminal bool `json:"terminal"`
}

// connections lists the clusters that serve, the oldest first, also while the
// daemon takes them up again: they serve without it.
func (d *Daemon) connections(ctx context.Context, _ struct{}) ([]Connection, error) {
	all := []Connection{}
	byAge := slices.SortedFunc(maps.Values(maps.Collect(d.eks.Clusters())), func(a, b eks.Cluster) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for _, c := range byAge {
		if c.Facts == nil || c.Status == eks.Deleting {
			continue
		}
		address, err := d.publicAddress(ctx, c, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, Connection{
			Name: c.Name, ARN: d.eks.ARN(c.Name), Address: address.String(), ServerName: c.Host,
			CA:      base64.StdEncoding.EncodeToString(c.Facts.CertificateAuthority),
			Sources: c.Access().Sources(), Terminal: c.PrivateAccess && c.VPC == d.config.vpcID(),
		})
	}
	return all, nil
}

func arch() string {
	if goruntime.GOARCH == "amd64" {
		return "x86_64"
	}
	return goruntime.GOARCH
}
