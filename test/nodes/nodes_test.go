package nodes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/s3"
)

// house is the lab with two nodes and a pod on each.
type house struct {
	*lab.Lab
	host  lab.Terminal // kubectl as the admin
	nodes []control.Node
	pods  []pod // on the node of the same index
}

type pod struct{ name, node, ip string }

func TestTwoNodes(t *testing.T) {
	h := &house{Lab: lab.Start(t, "--nodes", "2")}
	h.host = h.Host(t).AWS(t, "2")
	h.nodes = h.status(t).Clusters[0].Nodes

	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"both are ready under their EC2 names", h.ready},
		{"images are built, removed and loaded", h.images},
		{"a pod starts on each", h.startPods},
		{"pods reach each other", h.reach},
		{"kubectl reaches into pods", h.access},
		{"a node reads what is its own alone", h.nodeRestriction},
		// The longest wait: what else there is happens in it.
		{"nodes live by their role's mapping", h.mapping},
		{"it resumes with all there was", h.resumes},
		{"the VPC CNI has a role of its own", h.cniRole},
		{"nodes live by their role's access entry", h.accessEntry},
		{"an aggregated API knows access policies", h.top},
	} {
		if !t.Run(part.name, part.test) && part.name == "a pod starts on each" {
			return
		}
	}
}

func (h *house) status(t *testing.T) control.Status {
	t.Helper()
	var s control.Status
	if err := json.Unmarshal([]byte(h.Eksact(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

var nodeName = regexp.MustCompile(`^ip-(\d+)-(\d+)-(\d+)-(\d+)\.us-west-2\.compute\.internal$`)

func (h *house) ready(t *testing.T) {
	if len(h.nodes) != 2 {
		t.Fatalf("%d nodes", len(h.nodes))
	}
	for _, n := range h.nodes {
		parts := nodeName.FindStringSubmatch(n.Name)
		if parts == nil || strings.Join(parts[1:], ".") != n.Address {
			t.Errorf("node %s has the address %s", n.Name, n.Address)
		}
		if !n.Ready {
			t.Errorf("node %s is not ready after up", n.Name)
		}
		h.host.Must(t, "kubectl get node "+n.Name+" -o wide", " Ready ", n.Address)
		h.host.Must(t, "aws ec2 describe-instances --instance-ids "+n.ID+" --query 'Reservations[].Instances[].[PrivateDnsName,State.Name]' --output text", n.Name, "running")
	}
	if h.nodes[0].Name == h.nodes[1].Name {
		t.Error("both nodes have one name")
	}
}

func (h *house) images(t *testing.T) {
	spec := filepath.Join(lab.Root(t), "test/images/busybox.yaml")
	lab.Has(t, "image build", h.Eksact(t, "image", "build", spec), "docker.io/library/busybox:latest", "sha256:")
	lab.Has(t, "image ls", h.Eksact(t, "image", "ls"), "docker.io/library/busybox:latest", "docker.io/library/alpine:latest", "eks/coredns")
	archives, _ := filepath.Glob(filepath.Join(h.State, "cache/images/*.tar"))
	if len(archives) != 1 {
		t.Fatalf("archives of the built image: %q", archives)
	}
	h.Eksact(t, "image", "rm", "busybox", "alpine")
	if out := h.Eksact(t, "image", "ls"); strings.Contains(out, "busybox") {
		t.Errorf("busybox was removed and is still there:\n%s", out)
	}
	lab.Has(t, "image load", h.Eksact(t, "image", "load", archives[0]), "docker.io/library/busybox:latest")
}

// manifest makes a pod on each node, with a secret of its own and a web page
// that says its name, and a Service of both.
const manifest = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`

const podManifest = `
---
apiVersion: v1
kind: Secret
metadata: {name: web-%[1]d}
stringData: {owner: web-%[1]d}
---
apiVersion: v1
kind: Pod
metadata: {name: web-%[1]d, labels: {app: web}}
spec:
  nodeSelector: {kubernetes.io/hostname: %[2]s}
  containers:
  - name: web
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c, 'hostname >/tmp/index.html; busybox httpd -p 80 -h /tmp; while :; do echo "$(hostname) lives"; sleep 1; done']
    readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
    volumeMounts: [{name: secret, mountPath: /secret}]
  volumes: [{name: secret, secret: {secretName: web-%[1]d}}]
  terminationGracePeriodSeconds: 0
`

func (h *house) startPods(t *testing.T) {
	text := manifest
	for i, n := range h.nodes {
		text += fmt.Sprintf(podManifest, i, n.Name)
	}
	file := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.host.Must(t, "kubectl apply -f "+file, "pod/web-0 created", "pod/web-1 created")
	h.host.Must(t, "kubectl wait --for=condition=Ready pod/web-0 pod/web-1 --timeout=180s || { kubectl describe pods; false; }")
	for i, n := range h.nodes {
		p := pod{name: fmt.Sprintf("web-%d", i)}
		fields := strings.Fields(h.host.Must(t, "kubectl get pod "+p.name+" -o jsonpath='{.spec.nodeName} {.status.podIP}'"))
		p.node, p.ip = fields[0], fields[1]
		if p.node != n.Name || !strings.HasPrefix(p.ip, "10.0.") {
			t.Errorf("pod %+v is not on node %s, or has no address of the VPC", p, n.Name)
		}
		h.pods = append(h.pods, p)
	}
}

// reach asks each pod's page from each pod, by every kind of name there is.
func (h *house) reach(t *testing.T) {
	for _, from := range h.pods {
		for _, to := range h.pods {
			h.host.Must(t, "kubectl exec "+from.name+" -- timeout 20 wget -qO- http://"+to.ip+"/", to.name)
		}
		cluster := h.host.Must(t, "kubectl get service web -o jsonpath={.spec.clusterIP}")
		for _, name := range []string{cluster, "web", "web.default.svc.cluster.local"} {
			line := "kubectl exec " + from.name + " -- sh -c 'for i in $(seq 20); do timeout 20 wget -qO- http://" + name + "/; done | sort | uniq -c'"
			h.host.Soon(t, 20*time.Second, line, "web-0", "web-1") // a node hears of ready pods by and by
		}
		h.host.Soon(t, 10*time.Second, "kubectl exec "+from.name+" -- nslookup kubernetes.default.svc.cluster.local", "172.20.0.1")
	}
}

func (h *house) access(t *testing.T) {
	var parts []lab.Part
	for _, p := range h.pods {
		parts = append(parts, lab.Part{Name: p.name, Test: func(t *testing.T) { h.into(t, p) }})
	}
	lab.Together(t, parts...)
}

func (h *house) into(t *testing.T, p pod) {
	h.host.Must(t, "kubectl exec "+p.name+" -- cat /secret/owner", p.name)
	h.host.Must(t, "echo typed | kubectl exec -i "+p.name+" -- cat", "typed")
	h.host.Refused(t, "kubectl exec "+p.name+" -- sh -c 'exit 7'", "exit code 7")
	h.host.Must(t, "kubectl logs --tail=2 "+p.name, p.name+" lives")
	h.host.Must(t, "timeout 60 kubectl attach "+p.name+" | grep -m 1 lives", p.name+" lives")
	file := func(line string) string {
		return strings.ReplaceAll(strings.ReplaceAll(line, "POD", p.name), "FILE", "file-"+p.name)
	}
	h.host.Must(t, file("seq 10000 >FILE && kubectl cp FILE POD:/tmp/there && kubectl cp POD:/tmp/there FILE-back && cmp FILE FILE-back && echo same"), "same")
	h.host.Must(t, file("kubectl port-forward pod/POD :80 >FILE & trap 'kill %1' EXIT; for i in $(seq 600); do grep -q Forwarding FILE && break; sleep 0.1; done; "+
		`curl -sS -m 30 http://127.0.0.1:$(sed -n 's/.*127.0.0.1:\([0-9]*\) .*/\1/p' FILE)/`), p.name)
}

// as types a line on a node, with the node's own credentials.
func (h *house) as(t *testing.T, n control.Node) lab.Terminal {
	t.Helper()
	for _, p := range h.status(t).Processes {
		if p.Name == "node-"+n.ID {
			return h.host.After(fmt.Sprintf("export KUBECONFIG=%s; k() { nsenter -t %d -n -m -u -- $(command -v kubectl) \"$@\"; }",
				filepath.Join(h.State, "nodes", n.ID, "kubeconfig"), p.Pid))
		}
	}
	t.Fatalf("node %s does not run", n.ID)
	return lab.Terminal{}
}

func (h *house) nodeRestriction(t *testing.T) {
	for i, n := range h.nodes {
		other := 1 - i
		node := h.as(t, n)
		node.Must(t, "k auth whoami", "system:node:"+n.Name, "system:nodes", "arn:aws:sts::111122223333:assumed-role/", n.ID)
		node.Must(t, fmt.Sprintf("k get secret web-%d -o jsonpath={.data.owner}", i))
		node.Refused(t, fmt.Sprintf("k get secret web-%d", other), "Forbidden", "no relationship found between node")
		node.Refused(t, "k get secrets --all-namespaces", "Forbidden")
		node.Must(t, "k get node "+n.Name, "Ready")
		node.Refused(t, "k label node "+h.nodes[other].Name+" mine=yes", "Forbidden")
		node.Refused(t, "k label node "+n.Name+" node-restriction.kubernetes.io/mine=yes", "Forbidden", "is not allowed to modify labels")
		node.Refused(t, fmt.Sprintf("k delete pod web-%d", other), "Forbidden")
	}
}

// when tells, once a line prints what is wanted, how long that took; nothing when
// it does not within the limit.
func (h *house) when(line, want string, limit time.Duration) <-chan time.Duration {
	took := make(chan time.Duration, 1)
	go func() {
		defer close(took)
		for began := time.Now(); time.Since(began) < limit; time.Sleep(500 * time.Millisecond) {
			if out, err := h.host.Run(line); err == nil && out == want {
				took <- time.Since(began)
				return
			}
		}
	}()
	return took
}

// mapping takes the node role out of aws-auth and puts it back.
func (h *house) mapping(t *testing.T) {
	h.host.Must(t, "kubectl get configmap -n kube-system aws-auth -o yaml | grep -v resourceVersion >aws-auth.yaml; cat aws-auth.yaml", "NodeInstanceRole")
	h.host.Must(t, `kubectl patch configmap -n kube-system aws-auth -p '{"data":{"mapRoles":""}}'`, "patched")
	const states = `kubectl get nodes -o jsonpath='{range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}'`
	notReady := h.when(states, "Unknown Unknown", lab.Busy*2*time.Minute)
	node := h.as(t, h.nodes[0])

	lab.Together(t,
		lab.Part{Name: "a second cluster beside it", Test: h.second},
		lab.Part{Name: "S3", Test: func(t *testing.T) { s3.Commands(t, h.Lab) }},
	)

	node.Refused(t, "k auth whoami", "Unauthorized")
	gone, ok := <-notReady
	if lab.Figure(t, "from the mapping's removal to NotReady", gone, 90*time.Second); !ok {
		t.Error("the nodes did not become NotReady")
	}

	h.host.Must(t, "kubectl replace -f aws-auth.yaml", "replaced")
	took := h.host.Soon(t, 15*time.Second, states, "True True")
	t.Logf("Ready %.1f s after it was restored", took.Seconds())
	h.host.Must(t, "kubectl get pods", "web-0   1/1     Running   0", "web-1   1/1     Running   0")
}

// resumes stops everything and starts it again.
func (h *house) resumes(t *testing.T) {
	h.Down(t)
	h.Up(t)
	h.host.Must(t, "kubectl wait --for=condition=Ready node --all --timeout=180s && kubectl wait --for=condition=Ready pod/web-0 pod/web-1 --timeout=180s")
	s3.AfterRestart(t, h.Lab)
}
