package balancers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

// town is the lab with a pod on each of two nodes.
type town struct {
	*lab.Lab
	admin  lab.Terminal // kubectl and aws, on this machine
	laptop lab.Terminal // outside the VPC
	shell  lab.Terminal // inside
	nodes  []control.Node
	pods   []string // addresses, on the node of the same index
}

func TestLoadBalancers(t *testing.T) {
	w := &town{Lab: lab.Start(t, "--nodes", "2")}
	w.admin, w.laptop, w.shell = w.Host(t).AWS(t, "2"), w.Laptop(), w.Shell()
	w.nodes = w.status(t).Clusters[0].Nodes
	w.startPods(t)
	lab.Together(t, // each has Services of its own
		lab.Sequence("Classic ones",
			lab.Part{Name: "a Classic Load Balancer is the default", Test: w.classic},
			lab.Part{Name: "what can't be applied is refused in an event", Test: w.refused},
			lab.Part{Name: "one is made by calls", Test: w.madeByCalls},
		),
		lab.Sequence("Network ones",
			lab.Part{Name: "a Network Load Balancer shows the client to pods of its node", Test: w.local},
			lab.Part{Name: "each zone's address leads to its zone, or across", Test: w.zones},
			lab.Part{Name: "an internal one is reached from inside alone", Test: w.internal},
		),
		lab.Sequence("closed ones",
			lab.Part{Name: "source ranges", Test: w.sourceRanges},
			lab.Part{Name: "chosen addresses and security groups", Test: w.chosen},
		),
	)
	lab.Together(t, // these take a pod from others
		lab.Part{Name: "pods are targets, without node ports", Test: w.podTargets},
		lab.Part{Name: "a deregistered target drains", Test: w.draining},
	)
	lab.InTurn(t,
		lab.Part{Name: "connections outlive the daemon", Test: w.survival},
		lab.Part{Name: "all goes with the Services", Test: w.gone},
	)
}

func (w *town) status(t *testing.T) control.Status {
	t.Helper()
	var s control.Status
	if err := json.Unmarshal([]byte(w.Eksact(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// webPod says who it is and who asks, or says lines, ten a second: 3000, or until it is
// told to stop.
const webPod = `
---
apiVersion: v1
kind: Pod
metadata: {name: web-%[1]d, labels: {app: web, only: web-%[1]d}}
spec:
  nodeSelector: {kubernetes.io/hostname: %[2]s}
  containers:
  - name: web
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c]
    args:
    - |
      mkdir -p /tmp/cgi-bin
      printf '#!/bin/sh\necho "Content-Type: text/plain"\necho\necho "$(hostname) saw $REMOTE_ADDR"\n' >/tmp/cgi-bin/who
      printf '#!/bin/sh\necho "Content-Type: text/plain"\necho\nfor i in $(seq 3000); do echo "line $i"; [ ! -e /tmp/stop ] || break; sleep 0.1; done; echo stopped\n' >/tmp/cgi-bin/slow
      chmod +x /tmp/cgi-bin/*
      exec busybox httpd -f -p 0.0.0.0:80 -h /tmp
    readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
  terminationGracePeriodSeconds: 0
`

func (w *town) startPods(t *testing.T) {
	w.Images(t, "test/images/busybox.yaml")
	text := ""
	for i, n := range w.nodes {
		text += fmt.Sprintf(webPod, i, n.Name)
	}
	w.apply(t, text)
	w.admin.Must(t, "kubectl wait --for=condition=Ready pod/web-0 pod/web-1 --timeout=180s || { kubectl describe pods; false; }")
	for i := range w.nodes {
		w.pods = append(w.pods, w.admin.Must(t, fmt.Sprintf("kubectl get pod web-%d -o jsonpath='{.status.podIP}'", i)))
	}
}

func (w *town) apply(t *testing.T, manifest string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	w.admin.Must(t, "kubectl apply -f - <'"+file+"'")
}

// service is a Service of a load balancer.
type service struct {
	name        string
	annotations map[string]string // without AWS's prefix
	spec        string            // lines of its spec beside type and ports
	selector    string            // app: web when empty
}

func (s service) manifest() string {
	text := "apiVersion: v1\nkind: Service\nmetadata:\n  name: " + s.name + "\n  annotations:\n    example.com/test: balancers\n"
	for name, value := range s.annotations {
		text += fmt.Sprintf("    service.beta.kubernetes.io/aws-load-balancer-%s: %q\n", name, value)
	}
	selector := s.selector
	if selector == "" {
		selector = "app: web"
	}
	return text + "spec:\n  type: LoadBalancer\n  selector: {" + selector + "}\n  ports: [{name: http, port: 80}]\n" + s.spec
}

func (w *town) serve(t *testing.T, s service) (host string) {
	t.Helper()
	w.apply(t, s.manifest())
	w.admin.Soon(t, 20*time.Second, "kubectl get service "+s.name+" -o jsonpath={.status.loadBalancer.ingress[0].hostname}", "amazonaws.com")
	return w.admin.Must(t, "kubectl get service "+s.name+" -o jsonpath={.status.loadBalancer.ingress[0].hostname}")
}

// who asks a pod who it is; whoever is not to be answered waits no longer.
func who(host string) string { return "curl -sS -m 3 http://" + host + "/cgi-bin/who" }

// dropped is what it says of packets that nobody answers.
const dropped = "curl: (28)"

// patiently asks for an answer that has to come.
func patiently(host string) string { return strings.Replace(who(host), "-m 3", "-m 30", 1) }

// tally asks many times and says which answers came.
func tally(t *testing.T, from lab.Terminal, host string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for _, line := range strings.Split(from.Must(t, "for i in $(seq 24); do "+patiently(host)+"; done"), "\n") {
		seen[line]++
	}
	return seen
}

// addresses are what a name resolves to, from outside.
func (w *town) addresses(t *testing.T, host string) []string {
	t.Helper()
	all := strings.Fields(w.laptop.Must(t, "getent ahostsv4 "+host+" | awk '{print $1}' | sort -u"))
	slices.Sort(all)
	return all
}

func (w *town) classic(t *testing.T) {
	host := w.serve(t, service{name: "classic", spec: "  externalTrafficPolicy: Local\n", annotations: map[string]string{"cross-zone-load-balancing-enabled": "true"}})
	if !strings.HasSuffix(host, ".us-west-2.elb.amazonaws.com") {
		t.Errorf("its name is %s", host)
	}
	w.laptop.Soon(t, 15*time.Second, who(host), "web-")
	for line := range tally(t, w.laptop, host) {
		_, client, _ := strings.Cut(line, " saw ")
		if a, err := netip.ParseAddr(client); err != nil || !netip.MustParsePrefix("10.0.0.0/18").Contains(a) {
			t.Errorf("%q: a pod behind a Classic Load Balancer sees its address in a public subnet", line)
		}
	}
	w.shell.Must(t, patiently(host), "web-")
	name := w.admin.Must(t, "kubectl get service classic -o jsonpath={.metadata.uid}")
	name = "a" + strings.ReplaceAll(name, "-", "")[:31]
	w.admin.Must(t, "aws elb describe-load-balancers --load-balancer-names "+name, host, `"Protocol": "TCP"`, `"LoadBalancerPort": 80`, `"Scheme": "internet-facing"`, `"Target": "HTTP:`, w.nodes[0].ID, w.nodes[1].ID)
	w.admin.Soon(t, 15*time.Second, "aws elb describe-instance-health --load-balancer-name "+name+" --query 'InstanceStates[].State' --output text", "InService\tInService")
	w.admin.Must(t, "aws elb describe-load-balancer-attributes --load-balancer-name "+name, `"Enabled": true`, `"IdleTimeout": 60`)
	w.admin.Must(t, "aws elb add-tags --load-balancer-names "+name+" --tags Key=Team,Value=blue")
	w.admin.Must(t, "aws elb describe-tags --load-balancer-names "+name, "kubernetes.io/service-name", "default/classic", `"Value": "blue"`)
	w.admin.Refused(t, "aws elbv2 describe-load-balancers --names "+name, "LoadBalancerNotFound")
	w.admin.Refused(t, "aws elb describe-load-balancers --load-balancer-names none", "LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'none'")
}

func (w *town) refused(t *testing.T) {
	w.admin.Must(t, "kubectl annotate service classic service.beta.kubernetes.io/aws-load-balancer-ssl-cert=arn:aws:acm:us-west-2:111122223333:certificate/x")
	w.admin.Soon(t, 15*time.Second, "kubectl describe service classic", "SyncLoadBalancerFailed", "aws-load-balancer-ssl-cert is not supported: there are no certificates here")
	w.admin.Must(t, "kubectl annotate service classic service.beta.kubernetes.io/aws-load-balancer-ssl-cert-")
}

// groupOf is the ARN of a Network Load Balancer's only target group.
func (w *town) groupOf(t *testing.T, host string) string {
	t.Helper()
	arn := w.admin.Must(t, "aws elbv2 describe-load-balancers --query \"LoadBalancers[?DNSName=='"+host+"'].LoadBalancerArn\" --output text", "loadbalancer/net/")
	return w.admin.Must(t, "aws elbv2 describe-target-groups --load-balancer-arn "+arn+" --query 'TargetGroups[0].TargetGroupArn' --output text", "targetgroup/")
}

func (w *town) local(t *testing.T) {
	host := w.serve(t, service{name: "local", annotations: map[string]string{"type": "nlb"}, spec: "  externalTrafficPolicy: Local\n", selector: "only: web-0"})
	if !strings.HasSuffix(host, ".elb.us-west-2.amazonaws.com") {
		t.Errorf("its name is %s", host)
	}
	group := w.groupOf(t, host)
	w.admin.Soon(t, 30*time.Second, "aws elbv2 describe-target-health --target-group-arn "+group+" --query 'TargetHealthDescriptions[].[Target.Id,TargetHealth.State,TargetHealth.Reason]' --output text",
		w.nodes[0].ID+"\thealthy", w.nodes[1].ID+"\tunhealthy\tTarget.FailedHealthChecks")
	if got := w.addresses(t, host); len(got) != 1 {
		t.Errorf("with healthy targets in one zone the name resolves to %v", got)
	}
	w.laptop.Must(t, patiently(host), "web-0 saw 198.18.0.1")
	w.shell.Must(t, patiently(host), "web-0 saw 198.18.0.4") // the terminal has a public address
	w.admin.Must(t, "aws elbv2 describe-target-group-attributes --target-group-arn "+group+" --output text", "preserve_client_ip.enabled\ttrue", "deregistration_delay.timeout_seconds\t300")
	w.admin.Must(t, "aws elbv2 describe-listeners --load-balancer-arn $(aws elbv2 describe-load-balancers --query \"LoadBalancers[?DNSName=='"+host+"'].LoadBalancerArn\" --output text)", group, `"Protocol": "TCP"`)
}

func (w *town) zones(t *testing.T) {
	own := service{name: "zones", annotations: map[string]string{"type": "nlb"}, spec: "  externalTrafficPolicy: Local\n"}
	host := w.serve(t, own)
	group := w.groupOf(t, host)
	w.admin.Soon(t, 30*time.Second, "aws elbv2 describe-target-health --target-group-arn "+group+" --query 'TargetHealthDescriptions[].TargetHealth.State' --output text", "healthy\thealthy")
	addresses := w.addresses(t, host)
	if len(addresses) != 2 {
		t.Fatalf("the name resolves to %v", addresses)
	}
	answered := map[string]bool{}
	for _, a := range addresses {
		seen := tally(t, w.laptop, a)
		if len(seen) != 1 {
			t.Errorf("the address of one zone leads to %v", seen)
		}
		for line := range seen {
			answered[line] = true
		}
	}
	if len(answered) != 2 {
		t.Errorf("both zones lead to %v", answered)
	}
	own.annotations["cross-zone-load-balancing-enabled"] = "true"
	w.serve(t, own)
	for _, a := range addresses {
		w.laptop.Soon(t, 15*time.Second, "for i in $(seq 24); do "+patiently(a)+"; done", "web-0", "web-1")
	}
}

func (w *town) sourceRanges(t *testing.T) {
	narrow := service{name: "narrow", spec: "  loadBalancerSourceRanges: [203.0.113.0/24]\n"}
	host := w.serve(t, narrow)
	shell := lab.Part{Name: "inside", Test: func(t *testing.T) { w.shell.Refused(t, who(host), dropped) }}
	lab.Together(t, shell, lab.Part{Name: "outside", Test: func(t *testing.T) { w.laptop.Refused(t, who(host), dropped) }})
	narrow.spec = "  loadBalancerSourceRanges: [198.18.0.1/32]\n"
	w.serve(t, narrow)
	lab.Together(t, shell, lab.Part{Name: "outside", Test: func(t *testing.T) { w.laptop.Soon(t, 15*time.Second, who(host), "web-") }})
	narrow.spec = "  loadBalancerSourceRanges: [198.18.0.3/32]\n"
	w.serve(t, narrow)
	w.shell.Soon(t, 15*time.Second, who(host), "web-")
	w.laptop.Refused(t, who(host), dropped)
}

func (w *town) internal(t *testing.T) {
	for kind, annotations := range map[string]map[string]string{"internal-classic": {"internal": "true"}, "internal-nlb": {"type": "nlb", "internal": "true"}} {
		host := w.serve(t, service{name: kind, annotations: annotations})
		for _, a := range w.addresses(t, host) {
			if !strings.HasPrefix(a, "10.0.") {
				t.Errorf("%s: %s resolves to %s", kind, host, a)
			}
		}
		w.shell.Soon(t, 15*time.Second, who(host), "web-")
		// Its address is private: outside the VPC it is whoever has it there.
		if out, _ := w.laptop.Run(who(host)); strings.Contains(out, "web-") {
			t.Errorf("%s: reached from outside: %s", kind, out)
		}
	}
}

func (w *town) podTargets(t *testing.T) {
	host := w.serve(t, service{
		name: "pods", spec: "  loadBalancerClass: eks.amazonaws.com/nlb\n  allocateLoadBalancerNodePorts: false\n",
		annotations: map[string]string{"scheme": "internet-facing", "nlb-target-type": "ip", "attributes": "load_balancing.cross_zone.enabled=true"},
	})
	if port := w.admin.Must(t, "kubectl get service pods -o jsonpath={.spec.ports[0].nodePort}"); port != "" {
		t.Errorf("it has node port %s", port)
	}
	group := w.groupOf(t, host)
	health := "aws elbv2 describe-target-health --target-group-arn " + group + " --query 'TargetHealthDescriptions[].[Target.Id,TargetHealth.State]' --output text"
	w.admin.Soon(t, 30*time.Second, health, w.pods[0]+"\thealthy", w.pods[1]+"\thealthy")
	for line := range tally(t, w.laptop, host) {
		if !strings.Contains(line, " saw 10.0.") {
			t.Errorf("%q: clients' addresses are not preserved with ip targets", line)
		}
	}
	w.admin.Must(t, "kubectl label pod web-1 app=other --overwrite")
	w.admin.Soon(t, 15*time.Second, health, w.pods[1]+"\tdraining")
	if seen := tally(t, w.laptop, host); len(seen) != 1 && len(seen) != 2 || strings.Contains(fmt.Sprint(seen), "web-1") {
		t.Errorf("a pod that is none of the Service's receives connections: %v", seen)
	}
	w.admin.Must(t, "kubectl label pod web-1 app=web --overwrite")
	w.admin.Soon(t, 15*time.Second, health, w.pods[1]+"\thealthy")
}

// stream is a connection that carries lines.
type stream struct {
	file string
	said chan string // what came, at the end
}

// follow asks for lines, ten a second, and returns when the first is there.
func follow(t *testing.T, from lab.Terminal, host string) stream {
	t.Helper()
	s := stream{filepath.Join(t.TempDir(), "lines"), make(chan string, 1)}
	go func() {
		out, _ := from.Run("curl -sS -N -m 300 http://" + host + "/cgi-bin/slow 2>&1 | tee " + s.file)
		s.said <- out
	}()
	s.awaits(t, 1)
	return s
}

func (s stream) lines() int {
	text, _ := os.ReadFile(s.file)
	return strings.Count(string(text), "line ")
}

// awaits returns when so many lines came.
func (s stream) awaits(t *testing.T, lines int) {
	t.Helper()
	for deadline := time.Now().Add(lab.Busy * 30 * time.Second); s.lines() < lines; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d lines came, want %d", s.lines(), lines)
		}
	}
}

func (w *town) draining(t *testing.T) {
	host := w.serve(t, service{
		name: "drains", spec: "  loadBalancerClass: service.k8s.aws/nlb\n", selector: "only: web-1",
		annotations: map[string]string{"scheme": "internet-facing", "nlb-target-type": "ip",
			"target-group-attributes": "deregistration_delay.timeout_seconds=5,deregistration_delay.connection_termination.enabled=true"},
	})
	defer func() {
		t.Log(w.admin.Run("aws elbv2 describe-target-health --target-group-arn " + w.groupOf(t, host)))
	}()
	w.laptop.Soon(t, 20*time.Second, who(host), "web-1")
	s := follow(t, w.laptop, host)
	began := time.Now()
	group := w.groupOf(t, host)
	w.admin.Must(t, "kubectl label pod web-1 only=none --overwrite")
	w.admin.Soon(t, 15*time.Second, "aws elbv2 describe-target-health --target-group-arn "+group, "draining", "Target.DeregistrationInProgress")
	out := <-s.said
	took := time.Since(began)
	t.Logf("the connection ended after %.1f s, %d lines", took.Seconds(), s.lines())
	if took < 5*time.Second || strings.Contains(out, "stopped") {
		t.Errorf("it ended after %v with …%s, want it cut off after 5 s", took, out[max(0, len(out)-100):])
	}
	w.admin.Must(t, "kubectl label pod web-1 only=web-1 --overwrite")
}

// chosen has an Elastic IP address and a security group, whose clients reach the nodes
// through rules that name it.
func (w *town) chosen(t *testing.T) {
	one := func(line string) string { return w.admin.Must(t, line+" --output text") }
	vpc := one("aws ec2 describe-vpcs --filters Name=cidr,Values=10.0.0.0/16 --query Vpcs[0].VpcId")
	subnet := one("aws ec2 describe-subnets --filters Name=tag-key,Values=kubernetes.io/role/elb Name=vpc-id,Values=" + vpc + " --query Subnets[0].SubnetId")
	eip, ip, _ := strings.Cut(one("aws ec2 allocate-address --query '[AllocationId,PublicIp]'"), "\t")
	group := one("aws ec2 create-security-group --group-name clients --description test --vpc-id " + vpc + " --query GroupId")
	own := service{name: "chosen", spec: "  loadBalancerClass: service.k8s.aws/nlb\n", annotations: map[string]string{
		"scheme": "internet-facing", "nlb-target-type": "instance", "attributes": "load_balancing.cross_zone.enabled=true", "subnets": subnet, "eip-allocations": eip + "," + eip,
		"security-groups": group, "manage-backend-security-group-rules": "true", "listener-attributes.TCP-80": "tcp.idle_timeout.seconds=60",
	}}
	w.apply(t, own.manifest())
	w.admin.Soon(t, 15*time.Second, "kubectl describe service chosen", "SyncLoadBalancerFailed", "count of EIP allocations (2) and subnets (1) must match")
	own.annotations["eip-allocations"] = eip
	host := w.serve(t, own)
	w.laptop.Refused(t, who(host), dropped)
	allow := func(from string) {
		one("aws ec2 authorize-security-group-ingress --group-id " + group + " --protocol tcp --port 80 --cidr " + from)
	}
	allow("198.18.0.1/32")
	w.laptop.Soon(t, 15*time.Second, who(ip), "saw ")
	if got := w.addresses(t, host); len(got) != 1 || got[0] != ip {
		t.Errorf("the name resolves to %v, want %s", got, ip)
	}
	w.shell.Refused(t, who(host), dropped)
	allow("198.18.0.3/32") // the NAT gateway's
	w.shell.Soon(t, 15*time.Second, who(host), "saw ")
	arn := one("aws elbv2 describe-load-balancers --query \"LoadBalancers[?DNSName=='" + host + "'].LoadBalancerArn\"")
	w.admin.Must(t, "aws elbv2 describe-load-balancers --load-balancer-arns "+arn, group, `"AllocationId": "`+eip+`"`)
	w.admin.Refused(t, "aws elbv2 set-security-groups --load-balancer-arn "+arn+" --security-groups "+group, "OperationNotPermitted")
	w.admin.Refused(t, "aws ec2 release-address --allocation-id "+eip, "InvalidIPAddress.InUse")
	w.admin.Must(t, "kubectl delete service chosen --timeout=180s")
	one("aws ec2 delete-security-group --group-id " + group)

	// The same address and a group by calls; their targets' groups are the caller's.
	made := one("aws elbv2 create-load-balancer --name own --type network --subnet-mappings SubnetId=" + subnet + ",AllocationId=" + eip + " --query LoadBalancers[0].LoadBalancerArn")
	w.admin.Must(t, "aws elbv2 describe-load-balancers --names own", ip, eip)
	other := one("aws ec2 describe-subnets --filters Name=tag-key,Values=kubernetes.io/role/elb Name=vpc-id,Values=" + vpc + " --query Subnets[1].SubnetId")
	w.admin.Must(t, "aws elbv2 set-subnets --load-balancer-arn "+made+" --subnets "+subnet+" "+other+" --query 'AvailabilityZones[].LoadBalancerAddresses[].IpAddress'", ip, "198.18.2.")
	one("aws elbv2 delete-load-balancer --load-balancer-arn " + made)
	one("aws ec2 release-address --allocation-id " + eip)
}

// madeByCalls leads to the Service's node port, through a security group that has to
// be opened for it.
func (w *town) madeByCalls(t *testing.T) {
	one := func(line string) string { return w.admin.Must(t, line+" --output text") }
	vpc := one("aws ec2 describe-vpcs --filters Name=cidr,Values=10.0.0.0/16 --query Vpcs[0].VpcId")
	subnets := one("aws ec2 describe-subnets --filters Name=tag-key,Values=kubernetes.io/role/elb Name=vpc-id,Values=" + vpc + " --query 'Subnets[].SubnetId'")
	port := w.admin.Must(t, "kubectl get service classic -o jsonpath={.spec.ports[0].nodePort}")
	group := one("aws elbv2 create-target-group --name made --protocol TCP --port " + port + " --vpc-id " + vpc + " --target-type instance --health-check-interval-seconds 5 --healthy-threshold-count 2 --query TargetGroups[0].TargetGroupArn")
	one("aws elbv2 register-targets --target-group-arn " + group + " --targets Id=" + w.nodes[0].ID + " Id=" + w.nodes[1].ID)
	arn := one("aws elbv2 create-load-balancer --name made --type network --subnets " + subnets + " --query LoadBalancers[0].LoadBalancerArn")
	one("aws elbv2 modify-load-balancer-attributes --load-balancer-arn " + arn + " --attributes Key=load_balancing.cross_zone.enabled,Value=true")
	one("aws elbv2 create-listener --load-balancer-arn " + arn + " --protocol TCP --port 8080 --default-actions Type=forward,TargetGroupArn=" + group)
	host := one("aws elbv2 describe-load-balancers --names made --query LoadBalancers[0].DNSName")
	w.laptop.Refused(t, who(host+":8080"), "curl: (") // the nodes' group admits neither clients nor health checks
	sg := one("aws eks describe-cluster --name cluster --query cluster.resourcesVpcConfig.clusterSecurityGroupId")
	one("aws ec2 authorize-security-group-ingress --group-id " + sg + " --protocol tcp --port " + port + " --cidr 0.0.0.0/0")
	w.laptop.Soon(t, 30*time.Second, who(host+":8080"), "saw 198.18.0.1")
	w.admin.Soon(t, 30*time.Second, "aws elbv2 describe-target-health --target-group-arn "+group+" --query 'TargetHealthDescriptions[].TargetHealth.State' --output text", "healthy\thealthy")
	w.admin.Refused(t, "aws elbv2 delete-target-group --target-group-arn "+group, "ResourceInUse")
	w.admin.Refused(t, "aws elbv2 create-load-balancer --name other --subnets "+subnets, "UnsupportedOperation", "A load balancer of type application is not offered here")
	one("aws elbv2 delete-load-balancer --load-balancer-arn " + arn)
	one("aws elbv2 delete-target-group --target-group-arn " + group)
	w.laptop.Refused(t, who(host+":8080"), "Could not resolve host")
	one("aws ec2 revoke-security-group-ingress --group-id " + sg + " --protocol tcp --port " + port + " --cidr 0.0.0.0/0")
}

// survival kills the daemon while connections of both kinds are under way.
func (w *town) survival(t *testing.T) {
	classic := w.admin.Must(t, "kubectl get service classic -o jsonpath={.status.loadBalancer.ingress[0].hostname}")
	network := w.admin.Must(t, "kubectl get service zones -o jsonpath={.status.loadBalancer.ingress[0].hostname}")
	var all []stream
	for _, host := range []string{w.addresses(t, classic)[0], w.addresses(t, network)[0]} {
		all = append(all, follow(t, w.laptop, host))
	}
	killed := w.daemon(t)
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for pid := killed; pid == killed || pid == 0; pid = w.daemon(t) {
		time.Sleep(50 * time.Millisecond)
	}
	w.admin.Must(t, "aws elb describe-load-balancers --output text", classic) // and it knows them again
	for i, s := range all {
		if len(s.said) > 0 {
			t.Errorf("connection %d ended before the daemon served again", i)
			continue
		}
		s.awaits(t, s.lines()+20)
	}
	w.admin.Must(t, "for p in web-0 web-1; do kubectl exec $p -- touch /tmp/stop || exit; done")
	for i, s := range all {
		out, n := <-s.said, s.lines()
		if !strings.HasSuffix(out, fmt.Sprintf("line %d\nstopped", n)) {
			t.Errorf("connection %d ended with %d lines: …%s", i, n, out[max(0, len(out)-200):])
		}
	}
	w.laptop.Soon(t, 30*time.Second, who(classic), "web-")
}

// daemon is the daemon's pid; 0 when it does not run.
func (w *town) daemon(t *testing.T) (pid int) {
	t.Helper()
	for _, p := range w.status(t).Processes {
		if p.Name == "eksact" {
			pid = p.Pid
		}
	}
	return pid
}

func (w *town) gone(t *testing.T) {
	w.admin.Must(t, "kubectl delete service --all --timeout=180s", "deleted")
	w.admin.Soon(t, 15*time.Second, "aws elb describe-load-balancers --query LoadBalancerDescriptions; aws elbv2 describe-load-balancers --query LoadBalancers; aws elbv2 describe-target-groups --query TargetGroups", "[]\n[]\n[]")
	for _, p := range w.status(t).Processes {
		if p.Name == "balancer" {
			t.Error("the proxy runs on")
		}
	}
}
