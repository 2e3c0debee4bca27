package vpc

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

const account = "111122223333"

// house is the lab with two nodes.
type house struct {
	*lab.Lab
	host   lab.Terminal // kubectl and aws as the admin
	shell  lab.Terminal // a terminal in the VPC
	laptop lab.Terminal // outside of it
	ec2    *ec2.Client
	vpcID  string
	group  string // the cluster's security group
	nodes  []control.Node
	enis   []string // of the nodes
}

func TestVPC(t *testing.T) {
	lab.Need(t)
	h := &house{Lab: lab.New(t)}
	h.Images(t, "test/images/busybox.yaml", "test/images/toolbox.yaml")
	h.Up(t, "--nodes", "2")
	h.host, h.shell, h.laptop = h.Host(t).AWS(t, "2"), h.Shell(), h.Laptop()
	h.ec2 = ec2.NewFromConfig(h.config(t))
	h.vpcID = *got(h.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})).Vpcs[0].VpcId
	h.group = h.host.Must(t, "aws eks describe-cluster --name cluster --query cluster.resourcesVpcConfig.clusterSecurityGroupId --output text")
	var s control.Status
	if err := json.Unmarshal([]byte(h.Eksact(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	h.nodes = s.Clusters[0].Nodes
	for _, n := range h.nodes {
		h.enis = append(h.enis, *h.instance(t, n.ID).NetworkInterfaces[0].NetworkInterfaceId)
	}

	// A flow log's window is a minute: what else there is happens in it.
	logs := h.beginFlowLogs(t)
	lab.InTurn(t,
		lab.Part{Name: "the interfaces there are", Test: h.interfaces},
		lab.Part{Name: "the cluster's own rule", Test: h.self},
	)
	lab.Together(t,
		lab.Sequence("security groups",
			lab.Part{Name: "groups of the terminal", Test: h.terminal},
			lab.Part{Name: "pods with groups of their own", Test: h.pods},
		),
		lab.Sequence("and the EC2 API",
			lab.Part{Name: "a load balancer's rules", Test: h.balancer},
			lab.Part{Name: "what EC2 refuses", Test: h.refused},
			lab.Part{Name: "the VPC is as eksctl makes it", Test: h.vpc},
		),
		lab.Part{Name: "instance metadata", Test: h.metadata},
	)
	lab.Together(t,
		lab.Part{Name: "flow logs", Test: logs.delivered},
		lab.Sequence("ways",
			lab.Part{Name: "VPC endpoints", Test: h.endpoints},
			lab.Part{Name: "packets obey the route tables", Test: h.routes},
			lab.Part{Name: "a new subnet is real", Test: h.subnet},
		),
	)
	lab.InTurn(t,
		lab.Part{Name: "two VPCs and a daemon that is killed", Test: h.second},
		lab.Part{Name: "a rebooted instance is a node again", Test: h.reboot},
		lab.Part{Name: "a stopped instance is started again", Test: h.stop},
		lab.Part{Name: "a terminated instance is no node", Test: h.terminate},
	)
}

// soon is how long a packet may take.
const soon = 10 * time.Second

// apply makes objects.
func (h *house) apply(t *testing.T, manifest string) {
	t.Helper()
	h.host.Must(t, fmt.Sprintf("kubectl apply -f - <<'EOF'\n%s\nEOF", manifest), "created")
}

// config is the admin's, as eksact env says it.
func (h *house) config(t *testing.T) aws.Config {
	t.Helper()
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^export (\w+)='?([^'\n]*)'?$`).FindAllStringSubmatch(h.Eksact(t, "env"), -1) {
		env[m[1]] = m[2]
	}
	endpoint := lab.Plain(env["AWS_ENDPOINT_URL"])
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &endpoint, HTTPClient: client.New(nil),
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
}

// got is the answer of a call that must succeed.
func got[T any](out T, err error) T {
	if err != nil {
		panic(err)
	}
	return out
}
