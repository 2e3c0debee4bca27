package nodes

import (
	"strings"
	"testing"
	"time"
)

// cniRole moves the VPC CNI's rights from the node's role to one of the service account
// aws-node, as the workshop offers. On EKS aws-node is started anew in between; here the
// node is.
func (h *house) cniRole(t *testing.T) {
	host, node := h.host, h.nodes[1]
	const policy = " --policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
	roleARN := host.Must(t, "aws iam list-roles --query \"Roles[?contains(RoleName,'NodeInstanceRole')].Arn\" --output text", ":role/")
	role := strings.TrimSpace(roleARN[strings.LastIndex(roleARN, "/")+1:])
	ready := func(is string) string {
		return "kubectl get node " + node.Name + ` -o jsonpath='{range .status.conditions[?(@.type=="Ready")]}{.status} {.message}{end}' | grep "^` + is + `"`
	}
	seen := func(by string) {
		t.Helper()
		host.Soon(t, 10*time.Second, "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=DescribeNetworkInterfaces --query 'Events[].CloudTrailEvent' --output text",
			"assumed-role/"+by, "amazon-vpc-cni-k8s")
	}
	seen(role + "/" + node.ID)

	host.Must(t, "aws iam detach-role-policy --role-name "+role+policy)
	host.Must(t, ready("True")) // what runs goes on
	host.Must(t, "aws ec2 reboot-instances --instance-ids "+node.ID)
	host.Soon(t, 60*time.Second, ready("False"), "cni plugin not initialized")
	host.Soon(t, 30*time.Second, "kubectl get events --field-selector involvedObject.name="+node.Name+",reason=NoAddressesForPods",
		"UnauthorizedOperation", "assumed-role/"+role+"/"+node.ID+" is not authorized to perform: ec2:DescribeNetworkInterfaces", "needs AmazonEKS_CNI_Policy")

	// eksctl create iamserviceaccount --override-existing-serviceaccounts
	host.Must(t, `url=$(aws eks describe-cluster --name cluster --query cluster.identity.oidc.issuer --output text) && provider=${url#https://} &&
aws iam create-open-id-connect-provider --url $url --client-id-list sts.amazonaws.com --thumbprint-list 9e99a48a9960b14926bb7f3b02e22da2b0ab7280 && cat > cni-trust.json <<EOF
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/$provider"},
  "Condition": {"StringEquals": {"$provider:sub": "system:serviceaccount:kube-system:aws-node", "$provider:aud": "sts.amazonaws.com"}}}]}
EOF
aws iam create-role --role-name vpc-cni --assume-role-policy-document file://cni-trust.json && aws iam attach-role-policy --role-name vpc-cni`+policy, "vpc-cni")
	host.Must(t, "kubectl annotate serviceaccount -n kube-system aws-node eks.amazonaws.com/role-arn=arn:aws:iam::111122223333:role/vpc-cni", "annotated")
	host.Soon(t, 60*time.Second, ready("True"))
	seen("vpc-cni/aws-node")
	host.Soon(t, 60*time.Second, "kubectl wait --for=condition=Ready --timeout=1s pod/"+h.pods[1].name)

	// And back.
	host.Must(t, "aws iam attach-role-policy --role-name "+role+policy)
	host.Must(t, "kubectl annotate serviceaccount -n kube-system aws-node eks.amazonaws.com/role-arn-")
	host.Must(t, "aws iam detach-role-policy --role-name vpc-cni"+policy+" && aws iam delete-role --role-name vpc-cni")
}
