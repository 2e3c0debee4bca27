package daemon

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/kube/controlplane"
	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc/ipam"
)

// A daemon that ended between an instance's termination and the deletion of its Node
// deletes it when it is back; nodes that are, and those of nobody's, stay.
func TestNodesOfTerminatedInstancesAreDeleted(t *testing.T) {
	s := store.NewMemory()
	defer s.Close()
	d := &Daemon{ec2: ec2.New(s, Default("", "").Place(), "us-west-2a"), addresses: ipam.New(s, nil)}
	for id, state := range map[string]ec2.State{"i-runs": ec2.Running, "i-stopped": ec2.Stopped, "i-ended": ec2.Terminated, "i-ends": ec2.ShuttingDown} {
		if err := d.ec2.PutInstance(t.Context(), ec2.Instance{ID: id, State: state}); err != nil {
			t.Fatal(err)
		}
	}
	var nodes []kuberuntime.Object
	for name, provider := range map[string]string{
		"runs": "aws:///us-west-2a/i-runs", "stopped": "aws:///us-west-2a/i-stopped", "ended": "aws:///us-west-2a/i-ended", "ends": "aws:///us-west-2a/i-ends",
		"unknown": "aws:///us-west-2a/i-unknown", "simulated": "", "other": "kind://docker/kind/worker",
	} {
		nodes = append(nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{ProviderID: provider}})
	}
	client := fake.NewClientset(nodes...)
	if err := d.deleteGoneNodes(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	left, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range left.Items {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	if want := []string{"ends", "other", "runs", "simulated", "stopped"}; !slices.Equal(names, want) {
		t.Errorf("left are %v, want %v", names, want)
	}
}

// An instance that was pending when the daemon ended is started by the next one, and
// runs; one that an order has stopped since is left alone.
func TestPendingInstancesAreTakenUp(t *testing.T) {
	d := grounded(t)
	d.timeline, d.nodes = control.NewTimeline(), map[string]*node{}
	d.config.StateDir = os.DevNull // where no node can have its files
	k := &cluster{record: eks.Cluster{Name: "cluster"}, bundle: &pki.Bundle{}, config: controlplane.Config{ServiceCIDR: netip.MustParsePrefix("172.20.0.0/16")}}
	subnet := d.privateSubnets()[0]
	for _, id := range []string{"i-pending", "i-stopped"} {
		address, err := d.addresses.Address(t.Context(), subnet.Name, "instance/"+id)
		if err != nil {
			t.Fatal(err)
		}
		pods, err := d.addresses.Block(t.Context(), subnet.Name, "instance/"+id+"/pods", podBlock(29))
		if err != nil {
			t.Fatal(err)
		}
		state := map[string]ec2.State{"i-pending": ec2.Pending, "i-stopped": ec2.Stopped}[id]
		err = d.ec2.PutInstance(t.Context(), ec2.Instance{ID: id, State: state, Cluster: "cluster", PrivateIP: address, Interfaces: []ec2.Interface{{IP: address, Prefixes: []netip.Prefix{pods}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.bringUp(t.Context(), k, "i-stopped"); err != nil {
		t.Errorf("one that is stopped: %v", err)
	}
	d.startNodesOf(t.Context(), k)
	d.running.Wait()
	for id, want := range map[string]ec2.State{"i-pending": ec2.Running, "i-stopped": ec2.Stopped} {
		if i, _ := d.ec2.Instance(id); i.State != want {
			t.Errorf("%s is %s, want %s", id, i.State, want)
		}
	}
	// Its machine was begun, as far as this daemon comes.
	if !netns.Exists(d.network.NodeNetNS("i-pending")) || netns.Exists(d.network.NodeNetNS("i-stopped")) {
		t.Error("the namespaces are not those of what runs")
	}
}
