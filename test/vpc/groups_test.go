package vpc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/eksact/eksact/test/lab"
)

// terminalENI is the terminal's network interface, and its address.
func (h *house) terminalENI(t *testing.T) (id, address string) {
	t.Helper()
	found := got(h.ec2.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{Filters: where("description", "Terminal*")})).NetworkInterfaces
	if len(found) != 1 {
		t.Fatalf("the terminal has %d interfaces", len(found))
	}
	return *found[0].NetworkInterfaceId, *found[0].PrivateIpAddress
}

// regroup gives a network interface other groups.
func (h *house) regroup(t *testing.T, eni string, groups ...string) {
	t.Helper()
	got(h.ec2.ModifyNetworkInterfaceAttribute(t.Context(), &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &eni, Groups: groups}))
}

func (h *house) createGroup(t *testing.T, name string) (id string) {
	t.Helper()
	return *got(h.ec2.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &name, VpcId: &h.vpcID})).GroupId
}

// kubelet is a line that reaches a node's kubelet.
func (h *house) kubelet(node int) string {
	return fmt.Sprintf("curl -sSk --connect-timeout 20 https://%s:10250/healthz", h.nodes[node].Address)
}

// dropped is what curl says of packets that nobody answers.
const dropped = "curl: (28)"

// noKubelet is one that is not to reach it, and ends after a moment.
func (h *house) noKubelet(node int) string {
	return strings.Replace(h.kubelet(node), "timeout 20", "timeout 2", 1)
}

func (h *house) interfaces(t *testing.T) {
	h.shell.Must(t, h.kubelet(0), "Unauthorized") // and the terminal has its interface
	out := h.host.Must(t, "aws ec2 describe-network-interfaces --query 'NetworkInterfaces[].[Description,PrivateIpAddress,Groups[0].GroupId]' --output text",
		"Amazon EKS cluster", "Terminal (eksact shell)", h.nodes[0].Address, h.nodes[1].Address, h.group)
	if n := strings.Count(out, "Amazon EKS cluster"); n != 2 {
		t.Errorf("%d interfaces of the control plane", n)
	}
	h.host.Must(t, "aws ec2 describe-security-groups --group-ids "+h.group+" --query 'SecurityGroups[0].[GroupName,Tags]' --output json",
		"eks-cluster-sg-cluster-", "kubernetes.io/cluster/cluster", "aws:eks:cluster-name")
}

// terminal takes the terminal out of the cluster's group, and lets it in by a rule.
func (h *house) terminal(t *testing.T) {
	eni, _ := h.terminalENI(t)
	mine := h.host.Must(t, "aws ec2 create-security-group --group-name terminal --description terminal --vpc-id "+h.vpcID+" --query GroupId --output text", "sg-")
	h.host.Must(t, "aws ec2 modify-network-interface-attribute --network-interface-id "+eni+" --groups "+mine)
	h.shell.Refused(t, h.noKubelet(0), dropped)

	rule := h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+h.group+" --protocol tcp --port 10250 --source-group "+mine+" --query 'SecurityGroupRules[0].SecurityGroupRuleId' --output text", "sgr-0")
	h.shell.Must(t, h.kubelet(0), "Unauthorized")
	h.shell.Must(t, h.kubelet(1), "Unauthorized")
	h.host.Refused(t, "aws ec2 delete-security-group --group-id "+mine, "DependencyViolation", "has a dependent object")
	h.host.Must(t, "aws ec2 modify-security-group-rules --group-id "+h.group+" --security-group-rules 'SecurityGroupRuleId="+rule+",SecurityGroupRule={IpProtocol=tcp,FromPort=22,ToPort=22,ReferencedGroupId="+mine+"}'")
	h.shell.Refused(t, h.noKubelet(0), dropped)
	h.host.Must(t, "aws ec2 revoke-security-group-ingress --group-id "+h.group+" --security-group-rule-ids "+rule)

	h.host.Must(t, "aws ec2 describe-stale-security-groups --vpc-id "+h.vpcID+" --query 'length(StaleSecurityGroupSet)'", "0")
	tagged := h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+mine+" --protocol tcp --port 22 --cidr 192.0.2.0/24 --query 'SecurityGroupRules[0].SecurityGroupRuleId' --output text", "sgr-0")
	h.host.Must(t, "aws ec2 create-tags --resources "+tagged+" --tags Key=Team,Value=blue")
	h.host.Must(t, "aws ec2 describe-security-group-rules --filters Name=tag:Team,Values=blue --query 'SecurityGroupRules[].SecurityGroupRuleId' --output text", tagged)
	h.host.Must(t, "aws ec2 describe-tags --filters Name=resource-id,Values="+tagged+" --query 'Tags[].[ResourceType,Value]' --output text", "security-group-rule\tblue")

	// By a prefix list, which is changed.
	list := h.host.Must(t, "aws ec2 create-managed-prefix-list --prefix-list-name hosts --address-family IPv4 --max-entries 2 --query PrefixList.PrefixListId --output text", "pl-0")
	h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+h.group+" --ip-permissions 'IpProtocol=tcp,FromPort=10250,ToPort=10250,PrefixListIds=[{PrefixListId="+list+"}]'")
	h.shell.Refused(t, h.noKubelet(0), dropped)
	h.host.Must(t, "aws ec2 modify-managed-prefix-list --prefix-list-id "+list+" --current-version 1 --add-entries Cidr=10.0.0.0/24")
	h.shell.Must(t, h.kubelet(0), "Unauthorized")
	h.host.Must(t, "aws ec2 revoke-security-group-ingress --group-id "+h.group+" --ip-permissions 'IpProtocol=tcp,FromPort=10250,ToPort=10250,PrefixListIds=[{PrefixListId="+list+"}]'")
	h.host.Must(t, "aws ec2 delete-managed-prefix-list --prefix-list-id "+list)

	// What goes out.
	h.shell.Must(t, "aws sts get-caller-identity", "111122223333")
	out := h.host.Must(t, "aws ec2 describe-security-group-rules --filters Name=group-id,Values="+mine+" --query 'SecurityGroupRules[?IsEgress].SecurityGroupRuleId' --output text")
	h.host.Must(t, "aws ec2 revoke-security-group-egress --group-id "+mine+" --security-group-rule-ids "+out)
	h.shell.Refused(t, "curl -sSk --connect-timeout 2 https://sts.us-west-2.amazonaws.com/", dropped)
	h.shell.Must(t, "getent hosts sts.us-west-2.amazonaws.com") // the resolver is nobody's to close

	h.regroup(t, eni, h.group)
	h.host.Must(t, "aws ec2 delete-security-group --group-id "+mine)
	h.shell.Must(t, h.kubelet(0), "Unauthorized")
}

// self takes the cluster's rule for itself away, and gives it back.
func (h *house) self(t *testing.T) {
	rule := h.host.Must(t, "aws ec2 describe-security-group-rules --filters Name=group-id,Values="+h.group+" --query 'SecurityGroupRules[?!IsEgress].SecurityGroupRuleId' --output text", "sgr-0")
	h.host.Must(t, "aws ec2 revoke-security-group-ingress --group-id "+h.group+" --security-group-rule-ids "+rule)
	h.shell.Refused(t, h.noKubelet(0), dropped)
	for i := range h.nodes { // among nodes, as pods are
		h.between(t, i, false)
	}
	h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+h.group+" --protocol all --source-group "+h.group)
	h.between(t, 0, true)
	h.shell.Must(t, h.kubelet(0), "Unauthorized")
}

// between checks whether a node reaches another one's kubelet.
func (h *house) between(t *testing.T, from int, want bool) {
	t.Helper()
	other := 1 - from
	enter := "nsenter --net=" + lab.RunDir + "/netns/" + h.nodes[from].ID + " "
	if want {
		h.host.Must(t, enter+h.kubelet(other), "Unauthorized")
	} else {
		h.host.Refused(t, enter+h.noKubelet(other), dropped)
	}
}

// serve is a command of busybox that answers HTTP with a word.
const serve = `[sh, -c, "mkdir -p /www; echo hello >/www/index.html; exec busybox httpd -f -p 80 -h /www"]`

const web = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: web, image: busybox, command: ` + serve + `}
---
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {service.beta.kubernetes.io/aws-load-balancer-type: nlb}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
`

func (h *house) balancer(t *testing.T) {
	h.apply(t, web)
	h.host.Soon(t, time.Minute, "kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].hostname}'", "elb")
	name := h.host.Must(t, "kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].hostname}'")
	call := "curl -sS --connect-timeout 2 -m 4 http://" + name
	h.laptop.Soon(t, time.Minute, call, "hello")

	shown := "aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + h.group + " --query 'SecurityGroupRules[].[Description,SecurityGroupRuleId]' --output text"
	out := h.host.Must(t, shown, "kubernetes.io/rule/nlb/client=", "kubernetes.io/rule/nlb/health=", "kubernetes.io/rule/nlb/mtu=")
	var client string
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, "kubernetes.io/rule/nlb/client="); ok {
			client = strings.Fields(rest)[1]
		}
	}
	h.host.Must(t, "aws ec2 revoke-security-group-ingress --group-id "+h.group+" --security-group-rule-ids "+client)
	h.laptop.Refused(t, call, dropped)
	h.host.Must(t, "kubectl annotate service web touched=yes") // the controller puts it back
	h.laptop.Soon(t, time.Minute, call, "hello")

	h.host.Must(t, "kubectl delete service web --timeout=180s")
	if out := h.host.Must(t, shown); strings.Contains(out, "kubernetes.io/rule") {
		t.Errorf("rules of a load balancer that is gone:\n%s", out)
	}
	h.host.Must(t, "kubectl delete pod web --timeout=180s")
}

func (h *house) refused(t *testing.T) {
	for _, line := range [][]string{
		{"aws ec2 authorize-security-group-ingress --group-id " + h.group + " --protocol all --source-group " + h.group, "InvalidPermission.Duplicate", "peer: " + h.group + ", ALL, ALLOW"},
		{"aws ec2 revoke-security-group-ingress --group-id " + h.group + " --protocol tcp --port 1 --cidr 192.0.2.0/24", "InvalidPermission.NotFound"},
		{"aws ec2 authorize-security-group-ingress --group-id " + h.group + " --protocol tcp --port 70000 --cidr 192.0.2.0/24", "InvalidParameterValue", "out of range"},
		{"aws ec2 delete-security-group --group-id " + h.group, "DependencyViolation"},
		{"aws ec2 delete-security-group --group-id $(aws ec2 describe-security-groups --filters Name=group-name,Values=default --query 'SecurityGroups[0].GroupId' --output text)", "CannotDelete"},
		{"aws ec2 create-security-group --group-name x --description x --vpc-id vpc-0 --dry-run", "InvalidVpcID.NotFound"},
	} {
		h.host.Refused(t, line[0], line[1:]...)
	}
}
