package walkthrough

import (
	"regexp"
	"strings"
	"testing"

	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/uplink"
)

func endpoint(t *testing.T, x lab.Terminal) string {
	t.Helper()
	return x.Must(t, "aws eks describe-cluster --name cluster --query cluster.endpoint --output text | cut -d/ -f3")
}

// addresses are two of each kind, as nslookup shows them below the server's.
var addresses = map[string]*regexp.Regexp{
	"public":  regexp.MustCompile(`(?s)Name:.*Address: 198\.18\.1\.\d+\n.*Address: 198\.18\.1\.\d+`),
	"private": regexp.MustCompile(`(?s)Name:.*Address: 10\.0\.\d+\.\d+\n.*Address: 10\.0\.\d+\.\d+`),
}

func leads(t *testing.T, x lab.Terminal, name, kind string) {
	t.Helper()
	if out := x.Must(t, "nslookup "+name); !addresses[kind].MatchString(out) {
		t.Errorf("$ nslookup %s\n%s\nwant two %s addresses", name, out, kind)
	}
}

// ready tells which nodes are Ready, and since when.
const ready = `kubectl get nodes -o jsonpath='{.items[*].status.conditions[?(@.type=="Ready")].status} {.items[*].status.conditions[?(@.type=="Ready")].lastTransitionTime}'`

// madePrivate types step 6: the private endpoint. The nodes must stay Ready.
func madePrivate(t *testing.T, sh, laptop lab.Terminal) {
	name := endpoint(t, sh)
	sh.Must(t, "kubectl get nodes", " Ready ")
	since := sh.Must(t, ready, "True ")
	leads(t, sh, name, "public")
	leads(t, laptop, name, "public")
	laptop.Must(t, "aws eks update-kubeconfig --name cluster --region us-west-2", "context arn:aws:eks:us-west-2:"+account+":cluster/cluster")
	laptop.Must(t, "kubectl get nodes", " Ready ")

	id := sh.Must(t, "aws eks update-cluster-config --region us-west-2 --name cluster --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true --query update.id --output text")
	sh.Must(t, "aws eks wait cluster-active --name cluster")
	sh.Must(t, "aws eks describe-update --name cluster --update-id "+id,
		`"Successful"`, `"EndpointAccessUpdate"`, `"EndpointPublicAccess"`, `"EndpointPrivateAccess"`)
	sh.Must(t, "aws eks describe-cluster --name cluster --query cluster.resourcesVpcConfig",
		`"endpointPublicAccess": false`, `"endpointPrivateAccess": true`)
	leads(t, sh, name, "private")
	leads(t, laptop, name, "private")
	sh.Must(t, "kubectl get nodes", " Ready ")
	sh.Must(t, "aws eks update-kubeconfig --name cluster --region us-west-2 && kubectl get nodes", " Ready ")
	stayedReady(t, sh, since)
}

// madePublic opens the endpoint again, to all and to others, and closes it.
func madePublic(t *testing.T, sh, laptop lab.Terminal) {
	name, since := endpoint(t, sh), sh.Must(t, ready, "True ")
	update := "aws eks update-cluster-config --name cluster --resources-vpc-config %s && aws eks wait cluster-active --name cluster"
	change := func(settings string) { t.Helper(); sh.Must(t, strings.Replace(update, "%s", settings, 1)) }
	change("endpointPublicAccess=true")
	leads(t, sh, name, "private")
	leads(t, laptop, name, "public")
	laptop.Must(t, "kubectl get nodes", " Ready ")
	change("publicAccessCidrs=8.8.8.8/32")
	laptop.Refused(t, "kubectl get --raw /version --request-timeout 3s", "Unable to connect to the server: ")
	sh.Must(t, "kubectl get nodes", " Ready ")
	sh.Refused(t, "aws eks update-cluster-config --name cluster --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=false",
		"(InvalidParameterException) when calling the UpdateClusterConfig operation: Private and public endpoint access cannot be false")
	change("endpointPublicAccess=false")
	stayedReady(t, sh, since)
}

func stayedReady(t *testing.T, sh lab.Terminal, since string) {
	t.Helper()
	if now := sh.Must(t, ready, "True "); now != since {
		t.Errorf("the nodes were not Ready all the time: since %s, at first %s", now, since)
	}
}

// onlyToPrivateEndpoints checks that nothing left the machine but what was sent to the
// private addresses that the name leads to outside: they are the business of the
// laptop's own network.
func onlyToPrivateEndpoints(t *testing.T, machine *uplink.Host) {
	t.Helper()
	machine.Control()
	for _, packet := range machine.Sent() {
		if !strings.HasPrefix(packet, "tcp to 10.0.") || !strings.HasSuffix(packet, ":443") {
			t.Errorf("left the machine: %s", packet)
		}
	}
}
