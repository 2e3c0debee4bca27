package up

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/engine/clusterconfig"
)

// TestWorkshopsFile: what eksact shell writes is what up reads.
func TestWorkshopsFile(t *testing.T) {
	c, r := daemon.Default("", ""), ranges{}
	m, err := readManifest("../access/environment/cluster.yaml", &c, &r)
	if err != nil {
		t.Fatal(err)
	}
	if c.Cluster != "cluster" || c.Nodes != 0 || c.Region != "us-west-2" || r.vpc != "10.0.0.0/16" || len(m.LogTypes) != 5 || len(m.Nodegroups) != 1 || !m.Nodegroups[0].Private {
		t.Errorf("%+v, %+v, %+v", c, r, m)
	}
	if err := r.into(&c, daemon.Default("", "")); err != nil || c.VPC != netip.MustParsePrefix("10.0.0.0/16") {
		t.Errorf("%s, %v", c.VPC, err)
	}
}

func TestFaultsOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: c}\nkarpenter: {}\ngitops: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, r := daemon.Default("", ""), ranges{}
	_, err := readManifest(path, &c, &r)
	if err == nil || !strings.Contains(err.Error(), path+":4:1: karpenter is not supported by eksact") || !strings.Contains(err.Error(), path+":5:1: gitops is") {
		t.Errorf("%v", err)
	}
}

func TestSizes(t *testing.T) {
	n := func(v int32) *int32 { return &v }
	for _, test := range []struct {
		given clusterconfig.Nodegroup
		want  [3]int32
	}{
		{clusterconfig.Nodegroup{}, [3]int32{2, 2, 2}},
		{clusterconfig.Nodegroup{Desired: n(1)}, [3]int32{1, 1, 1}},
		{clusterconfig.Nodegroup{Desired: n(0)}, [3]int32{0, 1, 0}},
		{clusterconfig.Nodegroup{Min: n(1), Max: n(3)}, [3]int32{1, 3, 1}},
		{clusterconfig.Nodegroup{Max: n(1)}, [3]int32{1, 1, 1}},
		{clusterconfig.Nodegroup{Min: n(1), Max: n(5), Desired: n(2)}, [3]int32{1, 5, 2}},
	} {
		least, most, desired := sizesOf(test.given)
		if got := [3]int32{least, most, desired}; got != test.want {
			t.Errorf("%+v: %v, want %v", test.given, got, test.want)
		}
	}
	if name := roleName("eksctl-"+strings.Repeat("x", 60), "NodeInstanceRole"); len(name) != 64 {
		t.Errorf("%s has %d characters", name, len(name))
	}
}
