package vpc

import (
	"fmt"
	"strings"
	"testing"
)

const endpointPod = `
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec:
  nodeSelector: {kubernetes.io/hostname: %s}
  containers: [{name: s, image: toolbox, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]
  terminationGracePeriodSeconds: 0
`

// endpoints makes VPC endpoints for S3 and STS, and calls by them and beside them.
func (h *house) endpoints(t *testing.T) {
	// The node keeps its way to the API server when its subnet loses all others.
	h.host.Must(t, "aws eks update-cluster-config --name cluster --resources-vpc-config endpointPrivateAccess=true && aws eks wait cluster-active --name cluster")
	h.apply(t, fmt.Sprintf(endpointPod, h.nodes[0].Name))
	h.host.Must(t, "kubectl wait --for=condition=Ready pod/caller --timeout=180s")
	shell := h.shell.AWS(t, "2").With("AWS_MAX_ATTEMPTS=1")
	subnet := *h.instance(t, h.nodes[0].ID).SubnetId
	table := h.host.Must(t, "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values="+subnet+" --query 'RouteTables[0].RouteTableId' --output text", "rtb-")

	// A bucket that is read by one endpoint alone.
	gateway := h.host.Must(t, "aws ec2 create-vpc-endpoint --vpc-id "+h.vpcID+" --service-name com.amazonaws.us-west-2.s3 --route-table-ids "+table+
		" --tag-specifications 'ResourceType=vpc-endpoint,Tags=[{Key=Name,Value=s3}]' --query VpcEndpoint.VpcEndpointId --output text", "vpce-")
	h.host.Must(t, "aws ec2 describe-route-tables --route-table-ids "+table+" --query 'RouteTables[0].Routes[].[GatewayId,DestinationPrefixListId]' --output text", gateway+"\tpl-")
	h.host.Must(t, "aws ec2 describe-prefix-lists --query 'PrefixLists[].[PrefixListName,Cidrs[0]]' --output text", "com.amazonaws.us-west-2.s3\t198.18.0.5/32")
	h.host.Must(t, "aws s3 mb s3://guarded && echo secret | aws s3 cp - s3://guarded/key")
	h.host.Must(t, `aws s3api put-bucket-policy --bucket guarded --policy '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::guarded/*","Condition":{"StringNotEquals":{"aws:SourceVpce":"`+gateway+`"}}}]}'`)
	url := shell.Must(t, "aws s3 presign s3://guarded/key", "https://guarded.s3.")
	read := "kubectl exec caller -- curl -sk --max-time 20 '" + url + "'"
	h.host.Must(t, read, "secret")
	h.host.Refused(t, "aws s3 cp s3://guarded/key -", "An error occurred (")
	shell.Refused(t, "aws s3 cp s3://guarded/key -", "An error occurred (")
	shell.Must(t, "curl -sk --max-time 20 '"+url+"'", "AccessDenied", "with an explicit deny in a resource-based policy")

	// Its policy, and its route.
	h.host.Must(t, "aws ec2 modify-vpc-endpoint --vpc-endpoint-id "+gateway+` --policy-document '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"*"}]}'`)
	h.host.Must(t, read, "AccessDenied", "because no VPC endpoint policy allows the s3:GetObject action")
	h.host.Must(t, "aws ec2 modify-vpc-endpoint --vpc-endpoint-id "+gateway+" --reset-policy")
	h.host.Must(t, read, "secret")
	nat := h.host.Must(t, "aws ec2 describe-nat-gateways --query 'NatGateways[0].NatGatewayId' --output text", "nat-")
	h.host.Must(t, "aws ec2 delete-route --route-table-id "+table+" --destination-cidr-block 0.0.0.0/0")
	h.host.Must(t, read, "secret")
	h.host.Refused(t, "kubectl exec caller -- curl -sSk --max-time 3 https://eks.us-west-2.amazonaws.com/", "curl: (7)")
	h.stsEndpoint(t, subnet)
	h.host.Must(t, "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids "+gateway)
	h.host.Refused(t, strings.Replace(read, "-sk --max-time 20", "-sSk --max-time 3", 1), "curl: (7)")
	h.host.Must(t, "aws ec2 create-route --route-table-id "+table+" --destination-cidr-block 0.0.0.0/0 --nat-gateway-id "+nat)
	h.host.Must(t, read, "AccessDenied", "with an explicit deny in a resource-based policy")
	h.host.Must(t, "kubectl delete pod caller && aws s3 rb --force s3://guarded")
}

// stsEndpoint calls STS by an address in a subnet that has no other way to it.
func (h *house) stsEndpoint(t *testing.T, subnet string) {
	shell := h.shell.AWS(t, "2").With("AWS_MAX_ATTEMPTS=1")
	group := h.createGroup(t, "endpoint")
	made := strings.Fields(h.host.Must(t, "aws ec2 create-vpc-endpoint --vpc-id "+h.vpcID+" --vpc-endpoint-type Interface --service-name com.amazonaws.us-west-2.sts --subnet-ids "+subnet+
		" --security-group-ids "+group+" --query 'VpcEndpoint.[VpcEndpointId,DnsEntries[0].DnsName,NetworkInterfaceIds[0]]' --output text", "vpce-", ".sts.us-west-2.vpce.amazonaws.com", "eni-"))
	id, name := made[0], made[1]
	address := h.host.Must(t, "aws ec2 describe-network-interfaces --network-interface-ids "+made[2]+" --query 'NetworkInterfaces[0].PrivateIpAddress' --output text", "10.0.")
	shell.Must(t, "getent hosts sts.us-west-2.amazonaws.com", address)
	h.laptop.Must(t, "getent hosts "+name, address)
	if out := h.laptop.Must(t, "getent hosts sts.us-west-2.amazonaws.com"); strings.Contains(out, address) {
		t.Errorf("outside of the VPC the name leads to %s", out)
	}
	const who = "aws sts get-caller-identity --cli-connect-timeout 20"
	shell.Refused(t, strings.Replace(who, "timeout 20", "timeout 2", 1), "onnect")
	h.host.Must(t, "aws ec2 authorize-security-group-ingress --group-id "+group+" --protocol tcp --port 443 --cidr 10.0.0.0/16")
	shell.Must(t, who, ":user/admin")
	h.host.Must(t, "kubectl exec caller -- curl -sk --max-time 20 -o /dev/null -w '%{http_code} %{remote_ip}' https://sts.us-west-2.amazonaws.com/", address)
	h.host.Must(t, "kubectl exec caller -- curl -sk --max-time 20 -o /dev/null -w '%{remote_ip}' https://"+name+"/", address)
	shell.Refused(t, "aws ec2 describe-vpcs --endpoint-url https://"+name, "AuthFailure", "Credential should be scoped to correct service: 'sts'.")

	const session = "aws sts get-federation-token --name by-endpoint --query FederatedUser.Arn --output text"
	shell.Must(t, session, "by-endpoint")
	h.host.Must(t, "aws ec2 modify-vpc-endpoint --vpc-endpoint-id "+id+` --policy-document '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"sts:GetFederationToken","Resource":"*"}]}'`)
	shell.Refused(t, session, "AccessDenied", "with an explicit deny in a VPC endpoint policy")
	h.host.Must(t, session, "by-endpoint")
	h.host.Must(t, "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=GetFederationToken --query 'Events[].CloudTrailEvent' --output text", `"vpcEndpointId":"`+id+`"`)

	h.host.Refused(t, "aws ec2 delete-security-group --group-id "+group, "DependencyViolation")
	h.host.Must(t, "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids "+id)
	h.host.Must(t, "aws ec2 delete-security-group --group-id "+group)
	shell.Must(t, "getent hosts sts.us-west-2.amazonaws.com", "198.18.0.2")
	shell.Must(t, who, ":user/admin")
	shell.Refused(t, "nslookup "+name, "NXDOMAIN")
}
