package crash

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/test/lab"
)

// clusterComesAndGoes kills the daemon while a second cluster is made, and again
// while it is deleted: the first ends well all the same, the second leaves
// nothing.
func clusterComesAndGoes(m *machine, c *callers) {
	m.t.Helper()
	const name = "second"
	client := eks.NewFromConfig(c.config)
	first, err := client.DescribeCluster(m.t.Context(), &eks.DescribeClusterInput{Name: aws.String("cluster")})
	if err != nil {
		m.t.Fatal(err)
	}
	status := func() types.ClusterStatus {
		out, err := client.DescribeCluster(m.t.Context(), &eks.DescribeClusterInput{Name: aws.String(name)})
		var none *types.ResourceNotFoundException
		if errors.As(err, &none) {
			return "gone"
		}
		if err != nil {
			m.t.Fatalf("describing the cluster: %v", err)
		}
		return out.Cluster.Status
	}
	began := time.Now()
	_, err = client.CreateCluster(m.t.Context(), &eks.CreateClusterInput{
		Name: aws.String(name), RoleArn: first.Cluster.RoleArn,
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: first.Cluster.ResourcesVpcConfig.SubnetIds},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, later := range []time.Duration{0, 2 * time.Second} {
		time.Sleep(later)
		m.awaitRestart(m.kill("eksact"))
	}
	m.eventually(time.Minute, "the second cluster is ACTIVE", func() bool { return status() == types.ClusterStatusActive })
	made := time.Since(began)

	began = time.Now()
	if _, err := client.DeleteCluster(m.t.Context(), &eks.DeleteClusterInput{Name: aws.String(name)}); err != nil {
		m.t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	m.awaitRestart(m.kill("eksact"))
	m.eventually(time.Minute, "the second cluster is gone", func() bool { return status() == "gone" })
	m.t.Logf("a cluster, the daemon killed twice while it was made: ACTIVE after %.1f s; killed while it was deleted: gone after %.1f s", made.Seconds(), time.Since(began).Seconds())
	for _, p := range m.status().Processes {
		if strings.HasSuffix(p.Name, "@"+name) {
			m.t.Errorf("%s runs on (pid %d)", p.Name, p.Pid)
		}
	}
	for _, path := range []string{filepath.Join(m.State, "clusters", name), filepath.Join(lab.RunDir, "netns", "cp-"+name)} {
		if _, err := os.Stat(path); err == nil {
			m.t.Errorf("%s is still there", path)
		}
	}
	c.everythingIsThere(m)
}
