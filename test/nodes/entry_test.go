package nodes

import (
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// accessEntry moves the nodes from aws-auth to an access entry, and the cluster to a
// mode in which aws-auth no longer counts: they live on.
func (h *house) accessEntry(t *testing.T) {
	host := h.host.AWS(t, "1") // Debian's version 2 is older than access entries
	role := host.Must(t, "aws iam list-roles --query \"Roles[?contains(RoleName,'NodeInstanceRole')].Arn\" --output text", ":role/")
	mode := func(to string) {
		t.Helper()
		host.Must(t, "aws eks update-cluster-config --name cluster --access-config authenticationMode="+to)
		host.Soon(t, 20*time.Second, "aws eks describe-cluster --name cluster --query 'join(`/`,cluster.[status,accessConfig.authenticationMode,`x`])' --output text", "ACTIVE/"+to+"/x")
	}
	const pods = "kubectl get pods -o jsonpath='{range .items[*]}{.metadata.name} {.status.phase} {.status.containerStatuses[0].restartCount} {end}'"
	restarts := host.Must(t, pods, "web-0 Running", "web-1 Running")
	node := h.as(t, h.nodes[0])
	node.Must(t, "k auth whoami", "system:bootstrappers")
	verified := func(says string) {
		t.Helper()
		lab.Has(t, "eksact verify", h.Eksact(t, "verify", "node-role", "role-mapping", "namespace-scope"), "3 proven", says)
	}
	mode("API_AND_CONFIG_MAP")
	verified("mapped by aws-auth, and by an access entry it was user")
	host.Must(t, "aws eks create-access-entry --cluster-name cluster --type EC2_LINUX --principal-arn "+role, "system:node:{{EC2PrivateDNSName}}", "system:nodes")
	mode("API")
	verified("though aws-auth mapped it all the while: in mode API that counts for nothing")
	if out := node.Must(t, "k auth whoami", "system:node:"+h.nodes[0].Name, "system:nodes"); strings.Contains(out, "system:bootstrappers") {
		t.Errorf("the node is still known by aws-auth:\n%s", out)
	}

	// Who a token is lasts ten seconds: a renewal after that is by the entry.
	renewed := func() string {
		return host.Must(t, "kubectl get lease -n kube-node-lease -o jsonpath='{range .items[*]}{.spec.renewTime} {end}'")
	}
	time.Sleep(12 * time.Second)
	before := strings.Fields(renewed())
	for began := time.Now(); ; time.Sleep(time.Second) {
		after := strings.Fields(renewed())
		if len(after) == 2 && len(before) == 2 && after[0] > before[0] && after[1] > before[1] {
			break
		}
		if time.Since(began) > lab.Busy*30*time.Second {
			t.Fatalf("leases renewed at %v, then at %v", before, after)
		}
	}
	host.Must(t, pods, restarts)
	// Nothing else makes the nodes what they are.
	gone := "--cluster-name cluster --principal-arn " + role
	host.Must(t, "aws eks delete-access-entry "+gone)
	if out, err := h.Command("verify", "node-role").CombinedOutput(); err == nil {
		t.Errorf("verify without the entry proves node-role:\n%s", out)
	} else {
		lab.Has(t, "eksact verify node-role", string(out), "REFUTED", "which has no access entry", "fix: aws eks create-access-entry --cluster-name cluster --type EC2_LINUX --principal-arn "+role)
	}
	host.Must(t, "aws eks create-access-entry --type EC2_LINUX "+gone)
	host.Refused(t, "aws eks associate-access-policy --cluster-name cluster --principal-arn "+role+
		" --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy --access-scope type=cluster", `This operation can only be performed on Access Entries with a type of "STANDARD".`)
}
