package endpoint

import (
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// zones makes Route 53's names and looks them up in the VPC and outside.
func (h *house) zones(t *testing.T) {
	shell, laptop := h.shell, h.laptop
	vpc := shell.Must(t, "aws ec2 describe-vpcs --query Vpcs[0].VpcId --output text")
	public := shell.Must(t, "aws route53 create-hosted-zone --name example.com --caller-reference 1 --query HostedZone.Id --output text", "/hostedzone/Z")
	private := shell.Must(t, "aws route53 create-hosted-zone --name example.com --caller-reference 2 --vpc VPCRegion=us-west-2,VPCId="+vpc+" --query HostedZone.Id --output text")
	record := func(zone, name, kind, value string) string {
		return "aws route53 change-resource-record-sets --hosted-zone-id " + zone + ` --change-batch '{"Changes":[{"Action":"UPSERT","ResourceRecordSet":{"Name":"` +
			name + `","Type":"` + kind + `","TTL":60,"ResourceRecords":[{"Value":"` + value + `"}]}}]}' --query ChangeInfo.Id --output text`
	}
	id := shell.Must(t, record(public, "www.example.com", "A", "198.18.2.99"), "/change/C")
	shell.Must(t, "aws route53 wait resource-record-sets-changed --id "+id)
	shell.Must(t, record(private, "www.example.com", "A", "10.0.64.99"))
	shell.Must(t, record(public, "only.example.com", "CNAME", "www.example.com"))
	shell.Must(t, record(private, "*.apps.example.com", "CNAME", "www.example.com"))

	is(t, laptop, "www.example.com", "198.18.2.99")
	is(t, laptop, "only.example.com", "198.18.2.99")
	is(t, shell, "www.example.com", "10.0.64.99")
	is(t, shell, "x.apps.example.com", "10.0.64.99")
	shell.Refused(t, "nslookup only.example.com", "NXDOMAIN")
	laptop.Refused(t, "nslookup x.apps.example.com", "NXDOMAIN")
	shell.Refused(t, "nslookup www.example.net", "REFUSED")
	is(t, shell, "sts.us-west-2.amazonaws.com", "198.18.0.2")

	shell.Refused(t, "aws route53 delete-hosted-zone --id "+private, "(HostedZoneNotEmpty) when calling the DeleteHostedZone operation: "+
		"The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
	shell.Refused(t, record(public, "www.example.org", "A", "198.18.2.98"),
		"(InvalidChangeBatch) when calling the ChangeResourceRecordSets operation: [RRSet with DNS name www.example.org. is not permitted in zone example.com.]")
	h.Host(t).AWS(t, "2").Must(t, "aws route53 list-hosted-zones-by-name --dns-name example.com --query 'HostedZones[].Config.PrivateZone' --output text", "False", "True")
}

// names looks them up in pods, and the cluster's and AWS's own.
func (h *house) names(t *testing.T) {
	shell := h.shell
	// CoreDNS asks the VPC's resolver.
	shell.Must(t, "kubectl run names --image=busybox --restart=Never -- sleep 3600")
	shell.Must(t, "kubectl wait --for=condition=Ready pod/names --timeout 180s")
	pod := func(name string) string { return "kubectl exec names -- nslookup " + name }
	shell.Soon(t, 30*time.Second, pod("kubernetes.default.svc.cluster.local"), "172.20.0.1")
	shell.Must(t, pod("www.example.com"), "10.0.64.99")
	shell.Must(t, pod("ec2.us-west-2.amazonaws.com"), "198.18.0.2")
	shell.Must(t, pod("s3.us-west-2.amazonaws.com"), "198.18.0.5")
	shell.Refused(t, pod("only.example.com"), "NXDOMAIN")
	host := shell.Must(t, "aws eks describe-cluster --name cluster --query cluster.endpoint --output text")[len("https://"):]
	shell.Must(t, pod(host), "198.18.1.")
	shell.Must(t, "kubectl get nodes -o name | cut -d/ -f2 | xargs nslookup", "Address: 10.0.")
}

// is checks what a name's address is, at once.
func is(t *testing.T, x lab.Terminal, name, address string) {
	t.Helper()
	out := x.Must(t, "nslookup "+name)
	if _, found, _ := strings.Cut(out, "Name:"); !strings.Contains(found+"\n", "Address: "+address+"\n") {
		t.Errorf("$ nslookup %s\n%s\nlacks %s", name, out, address)
	}
}
