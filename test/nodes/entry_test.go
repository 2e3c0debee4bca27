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

// top is an API behind the API server, which asks it back about who calls: by access
// policies too. The cluster is in mode API by now.
func (h *house) top(t *testing.T) {
	const (
		role     = "arn:aws:iam::111122223333:role/team/dev"
		of       = " --cluster-name cluster --principal-arn " + role
		policies = "arn:aws:eks::aws:cluster-access-policy/"
		everyone = "kubectl top nodes"
		some     = "kubectl top pods -n kube-system -l k8s-app=metrics-server"
	)
	host := h.host.AWS(t, "1")
	host.Must(t, "aws eks create-addon --cluster-name cluster --addon-name metrics-server && kubectl config view --raw > ~/dev && export KUBECONFIG=~/dev && "+
		"kubectl config set-credentials dev --exec-api-version=client.authentication.k8s.io/v1beta1 --exec-command=aws "+
		"--exec-arg=eks --exec-arg=get-token --exec-arg=--cluster-name --exec-arg=cluster --exec-arg=--output --exec-arg=json --exec-arg=--role-arn --exec-arg="+role+" && "+
		"kubectl config set-context --current --user=dev && aws iam create-role --path /team/ --role-name dev --assume-role-policy-document "+
		`'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}' && `+
		"aws eks create-access-entry"+of)
	dev := host.After("export KUBECONFIG=~/dev")
	host.Soon(t, 2*time.Minute, everyone, h.nodes[0].Name, h.nodes[1].Name)
	host.Soon(t, time.Minute, some, "metrics-server-")

	// An aggregated API remembers its answers ten seconds.
	refused := []string{"Error from server (Forbidden): ", `.metrics.k8s.io is forbidden: User "arn:aws:sts::111122223333:assumed-role/dev/`}
	dev.Refused(t, everyone, refused...)
	allow := func(policy, scope string) {
		t.Helper()
		host.Must(t, "aws eks associate-access-policy"+of+" --policy-arn "+policies+policy+" --access-scope "+scope)
	}
	allow("AmazonEKSViewPolicy", "type=cluster") // whose rules have no metrics
	dev.Refused(t, some, refused...)
	allow("AmazonEKSAdminViewPolicy", "type=namespace,namespaces=kube-system")
	dev.Soon(t, 30*time.Second, some, "metrics-server-")
	dev.Refused(t, everyone, refused...)
	allow("AmazonEKSClusterAdminPolicy", "type=cluster")
	dev.Soon(t, 30*time.Second, everyone, h.nodes[0].Name, h.nodes[1].Name)
	// By name alone nobody is dev.
	host.Refused(t, everyone+" --as "+strings.TrimSpace(dev.Must(t, "kubectl auth whoami -o jsonpath={.status.userInfo.username}")), refused...)
}
