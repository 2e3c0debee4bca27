package vpc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Two pods of nodes' networks of their own, one that serves.
const flowPods = `
apiVersion: v1
kind: Pod
metadata: {name: server}
spec:
  nodeSelector: {kubernetes.io/hostname: %s}
  containers: [{name: s, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, "head -c 20000 /dev/zero >/tmp/index.html; busybox httpd -f -p 8080 -h /tmp"]}]
  terminationGracePeriodSeconds: 0
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  nodeSelector: {kubernetes.io/hostname: %s}
  containers: [{name: s, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]
  terminationGracePeriodSeconds: 0
`

// flowLogs are flow logs, and the connections that their records are to be of.
type flowLogs struct {
	*house
	id                      string
	client, server, visitor string    // addresses
	last                    time.Time // when the last packet was sent
}

// beginFlowLogs makes flow logs of each destination, and connections.
func (h *house) beginFlowLogs(t *testing.T) *flowLogs {
	f := &flowLogs{house: h}
	h.apply(t, fmt.Sprintf(flowPods, h.nodes[1].Name, h.nodes[0].Name))
	h.host.Must(t, "aws s3 mb s3://flows", "make_bucket")
	create := "aws ec2 create-flow-logs --resource-type VPC --resource-ids " + h.vpcID + " --log-destination-type s3 --max-aggregation-interval 60 "
	h.host.Must(t, create+"--traffic-type ALL --log-destination arn:aws:s3:::nothing", "LogDestination: nothing does not exist")
	f.id = h.host.Must(t, create+"--traffic-type ALL --log-destination arn:aws:s3:::flows/all --query 'FlowLogIds[0]' --output text", "fl-")
	h.host.Must(t, create+"--traffic-type REJECT --log-destination arn:aws:s3:::flows/rejected --destination-options HiveCompatiblePartitions=true,PerHourPartition=true"+
		" --log-format '${version} ${pkt-srcaddr} ${pkt-dstaddr} ${dstport} ${tcp-flags} ${flow-direction} ${action} ${az-id} ${instance-id}'", "fl-")
	h.host.Must(t, `aws iam create-role --role-name flow --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},"Action":"sts:AssumeRole"}]}'`)
	h.host.Must(t, `aws iam put-role-policy --role-name flow --policy-name p --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}'`)
	h.host.Must(t, "aws ec2 create-flow-logs --resource-type NetworkInterface --resource-ids "+h.enis[0]+" --traffic-type ALL --log-group-name /flows --deliver-logs-permission-arn arn:aws:iam::"+account+":role/flow", "fl-")
	h.host.Must(t, "aws s3api get-bucket-policy --bucket flows --query Policy --output text", "delivery.logs.amazonaws.com", "flows/all/AWSLogs/"+account+"/*", "flows/rejected/AWSLogs/aws-account-id="+account+"/*")

	h.host.Must(t, "kubectl wait --for=condition=Ready pod/client pod/server --timeout=180s || { kubectl describe pods; false; }")
	const address = "kubectl get pod %s -o jsonpath={.status.podIP}"
	f.client, f.server = h.host.Must(t, fmt.Sprintf(address, "client")), h.host.Must(t, fmt.Sprintf(address, "server"))
	h.host.Soon(t, 10*time.Second, "kubectl exec client -- sh -c 'timeout 20 wget -qO- http://"+f.server+":8080/ | wc -c'", "20000")
	// The router lets no connection begin towards the Internet's side.
	h.host.Refused(t, "kubectl exec client -- timeout 3 wget -qO- http://198.18.0.1:9/", "wget")

	f.visitor = h.stranger(t, f.server)
	f.last = time.Now()
	return f
}

// delivered looks for the connections' records where they are delivered to.
func (h *flowLogs) delivered(t *testing.T) {
	h.accepted(t)
	h.rejected(t)
	h.logGroup(t)
	h.host.Must(t, "aws ec2 describe-flow-logs --query 'FlowLogs[].DeliverLogsStatus' --output text", "SUCCESS\tSUCCESS\tSUCCESS")
	h.host.Must(t, "aws ec2 delete-flow-logs --flow-log-ids "+h.id)
	h.host.Refused(t, "aws ec2 describe-flow-logs --flow-log-ids "+h.id, "InvalidFlowLogId.NotFound")
}

// records are all lines below a folder of the bucket, once they hold all texts.
func (h *flowLogs) records(t *testing.T, folder string, wants ...string) []string {
	t.Helper()
	line := "rm -rf there && aws s3 sync --quiet s3://flows/" + folder + " there && find there -name '*.gz' | sort | xargs zcat"
	within := max(10*time.Second, time.Until(h.last.Add(100*time.Second)))
	h.host.Soon(t, within, line, wants...)
	t.Logf("the records of %s are there %.0f s after the last packet", folder, time.Since(h.last).Seconds())
	return strings.Split(h.host.Must(t, line), "\n")
}

// accepted finds the connection's four flows, in the default format.
func (h *flowLogs) accepted(t *testing.T) {
	lines := h.records(t, "all", " 8080 6 ", " 198.18.0.1 ")
	if want := "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"; lines[0] != want {
		t.Errorf("a file begins with %q, want %q", lines[0], want)
	}
	// Each interface shows its own primary address, and the other end's own.
	seen := map[string]bool{}
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 14 {
			t.Fatalf("a record of %d fields: %s", len(f), line)
		}
		if f[0] != "2" || f[1] != account || f[13] != "OK" || f[12] != "ACCEPT" || f[7] != "6" {
			continue
		}
		var bytes int
		fmt.Sscan(f[9], &bytes)
		switch {
		case f[2] == h.enis[0] && f[3] == h.nodes[0].Address && f[4] == h.server && f[6] == "8080":
			seen["out of the client's"] = true
		case f[2] == h.enis[0] && f[3] == h.server && f[4] == h.nodes[0].Address && f[5] == "8080":
			seen["into the client's"] = seen["into the client's"] || bytes > 20000
		case f[2] == h.enis[1] && f[3] == h.client && f[4] == h.nodes[1].Address && f[6] == "8080":
			seen["into the server's"] = true
		case f[2] == h.enis[1] && f[3] == h.nodes[1].Address && f[4] == h.client && f[5] == "8080":
			seen["out of the server's"] = seen["out of the server's"] || bytes > 20000
		}
	}
	if len(seen) != 4 || !seen["into the client's"] || !seen["out of the server's"] {
		t.Errorf("found %v in\n%s", seen, strings.Join(lines, "\n"))
	}
	h.host.Must(t, "aws s3 ls --recursive s3://flows/all/", "all/AWSLogs/"+account+"/vpcflowlogs/us-west-2/"+time.Now().UTC().Format("2006/"), account+"_vpcflowlogs_us-west-2_fl-", ".log.gz")
}

// stranger takes the terminal out of the cluster's security group for a while, and
// returns its address, from which the server's can't be reached then.
func (h *house) stranger(t *testing.T, server string) string {
	h.shell.Must(t, "timeout 20 curl -sS http://"+server+":8080/ | wc -c", "20000")
	eni, address := h.terminalENI(t)
	group := h.createGroup(t, "stranger")
	h.regroup(t, eni, group)
	h.shell.Refused(t, "curl -sS --connect-timeout 2 http://"+server+":8080/", "curl: (28)")
	h.regroup(t, eni, h.group)
	return address
}

// rejected finds what the router refused, in a format of its own: what left no
// interface, by the node's, and what entered none, by the server's.
func (h *flowLogs) rejected(t *testing.T) {
	wants := map[string]string{
		"5 " + h.client + " 198.18.0.1 9 2 egress REJECT ":            h.nodes[0].ID,
		"5 " + h.visitor + " " + h.server + " 8080 2 ingress REJECT ": h.nodes[1].ID,
	}
	lines := h.records(t, "rejected", slices.Collect(maps.Keys(wants))...)
	for _, line := range lines {
		if strings.Contains(line, "ACCEPT") {
			t.Errorf("accepted: %s", line)
		}
		for want, node := range wants {
			if strings.Contains(line, want) && !strings.HasSuffix(line, " "+node) {
				t.Errorf("not of node %s: %s", node, line)
			}
		}
	}
	h.host.Must(t, "aws s3 ls --recursive s3://flows/rejected/", "rejected/AWSLogs/aws-account-id="+account+"/aws-service=vpcflowlogs/aws-region=us-west-2/year=", "/hour=")
}

// logGroup finds both in a log group, in the stream of the client's interface.
func (h *flowLogs) logGroup(t *testing.T) {
	read := "aws logs filter-log-events --log-group-name /flows --query 'events[].[logStreamName,message]' --output text --filter-pattern "
	h.host.Must(t, read+"ACCEPT", h.enis[0]+"-all\t2 "+account+" "+h.enis[0]+" "+h.nodes[0].Address+" "+h.server+" ")
	h.host.Must(t, read+"REJECT", h.enis[0]+"-all\t2 "+account+" "+h.enis[0]+" "+h.nodes[0].Address+" 198.18.0.1 ")
	if out := h.host.Must(t, "aws logs describe-log-streams --log-group-name /flows --query 'logStreams[].logStreamName' --output text"); out != h.enis[0]+"-all" {
		t.Errorf("streams: %s", out)
	}
}
