package recipes

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// pods are the world's, as NAMESPACE/NAME and labels. All serve their name on
// ports 80 and 5000.
var pods = []struct{ name, labels string }{
	{"shop/web", "app: web"},
	{"shop/api", "app: bookstore, role: api"},
	{"shop/search", "app: bookstore, role: search"},
	{"shop/inventory", "app: inventory, role: web"},
	{"shop/visitor", "app: visitor"},
	{"office/monitor", "type: monitoring"},
	{"office/desk", "type: desk"},
	{"prod/visitor", "app: visitor"},
}

const pod = `
---
apiVersion: v1
kind: Pod
metadata: {name: %[2]s, namespace: %[1]s, labels: {%[3]s, server: %[2]s}}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: %[4]s}
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c, 'echo I am %[2]s >/tmp/index.html; busybox httpd -p 5000 -h /tmp; exec busybox httpd -f -p 80 -h /tmp']
    readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: %[2]s, namespace: %[1]s}
spec: {selector: {server: %[2]s}, ports: [{name: web, port: 80}, {name: metrics, port: 5000}]}
`

// world is a lab with the pods running on both nodes.
type world struct {
	*lab.Lab
	suffix       string // of its namespaces' names
	host, laptop lab.Terminal
	ip           map[string]string // of the pods
	balancer     string            // public name of shop/web's load balancer
}

//go:embed world.yaml
var namespaces string

// named is the name of a namespace.
func (w *world) named(namespace string) string { return namespace + w.suffix }

func newWorld(t *testing.T, l *lab.Lab, suffix string) *world {
	w := &world{Lab: l, suffix: suffix, host: l.Host(t), laptop: l.Laptop(), ip: map[string]string{}}
	nodes := strings.Fields(w.host.Must(t, "kubectl get nodes -o jsonpath='{.items[*].metadata.labels.kubernetes\\.io/hostname}'"))

	manifest := strings.NewReplacer("{name: shop", "{name: "+w.named("shop"), "{name: office", "{name: "+w.named("office"), "{name: prod", "{name: "+w.named("prod")).Replace(namespaces)
	for i, p := range pods {
		namespace, name, _ := strings.Cut(p.name, "/")
		manifest += fmt.Sprintf(pod, w.named(namespace), name, p.labels, nodes[i%len(nodes)])
	}
	w.apply(t, manifest)
	w.host.Must(t, fmt.Sprintf("for n in %s %s %s; do kubectl wait --namespace $n --for=condition=Ready pod --all --timeout=180s || exit; done", w.named("shop"), w.named("office"), w.named("prod")))
	for _, p := range pods {
		namespace, name, _ := strings.Cut(p.name, "/")
		w.ip[p.name] = w.host.Must(t, "kubectl get pod --namespace "+w.named(namespace)+" "+name+" -o jsonpath={.status.podIP}")
	}
	shop := " --namespace " + w.named("shop")
	w.host.Must(t, "kubectl expose service web"+shop+" --name public --port 80 --type LoadBalancer")
	w.host.Soon(t, 10*time.Second, "kubectl get service public"+shop, ".elb.amazonaws.com")
	w.balancer = w.host.Must(t, "kubectl get service public"+shop+" -o jsonpath={.status.loadBalancer.ingress[0].hostname}")
	w.laptop.Soon(t, 30*time.Second, "curl --silent --show-error --max-time 3 http://"+w.balancer, "I am web")
	return w
}

func (w *world) apply(t *testing.T, manifest string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	w.host.Must(t, "kubectl apply -f "+file)
}

// clear deletes all policies, which are all in one namespace.
func (w *world) clear(t *testing.T) {
	t.Helper()
	w.host.Must(t, "kubectl delete networkpolicies --all --namespace "+w.named("shop"), "deleted")
	w.enforced(t)
}

// enforced returns once what was written is enforced on every node.
func (w *world) enforced(t *testing.T) {
	t.Helper()
	w.Eksact(t, "netpol", "wait")
}

// probe is a connection that a pod, or the laptop, tries.
type probe struct {
	from, to string
	allowed  bool
}

// The places that are not pods: someone on the Internet, and AWS's API there.
const (
	laptop   = "laptop"
	internet = "internet"
)

// line is the command that tries p and what it prints when it is answered. A
// target is a pod (by its Service's name, on port 80 or what follows a colon), a
// pod's address ("ip of …"), the load balancer, or the Internet.
func (w *world) line(p probe) (line, answer string) {
	if p.from == laptop {
		return "curl --silent --show-error --max-time 2 http://" + w.balancer, "I am web"
	}
	to, port, found := strings.Cut(p.to, ":")
	if !found {
		port = "80"
	}
	namespace, name, _ := strings.Cut(strings.TrimPrefix(to, "ip of "), "/")
	url, answer := "http://"+name+"."+w.named(namespace)+":"+port, "I am "+name
	switch {
	case to == internet:
		// It speaks TLS only to those who ask for it in TLS: any answer will do.
		url, answer = "http://198.18.0.2:443", "HTTP/1."
	case strings.HasPrefix(to, "ip of "):
		url = "http://" + w.ip[strings.TrimPrefix(to, "ip of ")] + ":" + port
	}
	namespace, name, _ = strings.Cut(p.from, "/")
	return fmt.Sprintf("kubectl exec --namespace %s %s -- timeout 3 wget -qO- %s", w.named(namespace), name, url), answer
}

// refused matches what is printed of a probe that was tried and had no answer.
var refused = regexp.MustCompile(`command terminated with exit code (1|143)$|curl: \((7|28|52|56)\)`)

// see tries all probes at once. Where open is set all are to be answered.
func (w *world) see(t *testing.T, when string, probes []probe, open bool) {
	t.Helper()
	var trying sync.WaitGroup
	tried := map[probe]bool{}
	for _, p := range probes {
		if open { // then it is expected whatever a policy says
			p.allowed = true
		}
		if tried[p] {
			continue
		}
		tried[p] = true
		trying.Go(func() {
			line, answer := w.line(p)
			x := w.host
			if p.from == laptop {
				x = w.laptop
			}
			out, _ := x.Run(line)
			// A busy machine may be too late for a probe's limit; what is closed stays so.
			for end := time.Now().Add(30 * time.Second); p.allowed && !strings.Contains(out, answer) && time.Now().Before(end); {
				out, _ = x.Run(line)
			}
			if !p.allowed && !refused.MatchString(out) {
				t.Errorf("%s: %s to %s was not tried:\n$ %s\n%s", when, p.from, p.to, line, out)
			}
			if got, want := strings.Contains(out, answer), p.allowed; got != want {
				t.Errorf("%s: %s to %s: answered: %t, want %t\n$ %s\n%s", when, p.from, p.to, got, want, line, out)
			}
		})
	}
	trying.Wait()
}
