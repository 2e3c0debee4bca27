package auditevents

import (
	"fmt"
	"strconv"
	"strings"
)

// kind is a kind of call and how often it is made.
type kind struct {
	weight int
	make   func(g *Generator, c *call)
}

var kinds = []kind{
	{2600, nodeLease}, {1500, controllerLease}, {500, nodeStatus}, {800, podStatus}, {1300, podsRead}, {500, watches},
	{700, configsRead}, {560, secretsRead}, {100, podCreated}, {100, podBound}, {110, podDeleted}, {110, deploymentChanged},
	{450, tokenCreated}, {300, tokenReviewed}, {350, accessReviewed}, {800, discovery}, {1300, health}, {350, endpoints}, {250, custom},
	{90, admin}, {11, user1}, {60, developers}, {120, scaled},
}

// deciding is why RBAC allows it.
func (c *call) allowed(binding, role, to string) {
	c.reason = fmt.Sprintf(`RBAC: allowed by ClusterRoleBinding \"%s\" of ClusterRole \"%s\" to %s`, binding, role, to)
}

func (g *Generator) ofNode(c *call) *node {
	n := &g.nodes[g.r.IntN(len(g.nodes))]
	c.u = &n.kubelet
	return n
}

func (g *Generator) ofApp(c *call) *app {
	a := &g.apps[g.r.IntN(len(g.apps))]
	g.renew(&a.account)
	c.u = &a.account
	c.allowed(a.name, a.name, `ServiceAccount \"`+a.name+"/"+a.namespace+`\"`)
	return a
}

func (g *Generator) ofController(c *call, i int) {
	c.u = &g.users[i]
	g.renew(c.u)
	if strings.HasPrefix(c.u.name, "system:serviceaccount:") {
		name := c.u.name[strings.LastIndexByte(c.u.name, ':')+1:]
		c.allowed("system:controller:"+name, "system:controller:"+name, `ServiceAccount \"`+name+`/kube-system\"`)
		return
	}
	c.allowed(c.u.name, c.u.name, `User \"`+c.u.name+`\"`)
}

func nodeLease(g *Generator, c *call) {
	n := g.ofNode(c)
	c.verb, c.group, c.resource, c.namespace, c.name = "update", "coordination.k8s.io", "leases", "kube-node-lease", n.name
	c.uid, c.version, c.query = n.uid, g.revision(), "timeout=10s"
	c.took = g.latency(4000)
}

func controllerLease(g *Generator, c *call) {
	g.ofController(c, g.r.IntN(4))
	c.group, c.resource, c.namespace, c.name = "coordination.k8s.io", "leases", "kube-system", strings.TrimPrefix(c.u.name, "system:")
	c.query = "timeout=5s"
	if g.r.IntN(2) == 0 {
		c.verb, c.version, c.took = "update", g.revision(), g.latency(4500)
		c.uid = "b0b1f9a2-54f8-4c3e-9a55-0123456789a" + strconv.Itoa(len(c.name)%10)
	}
}

func nodeStatus(g *Generator, c *call) {
	n := g.ofNode(c)
	c.level, c.verb, c.resource, c.name, c.sub, c.query = "Request", "patch", "nodes", n.name, "status", "timeout=10s"
	t := second(g.now)
	var b strings.Builder
	b.WriteString(`{"status":{"$setElementOrder/conditions":[{"type":"MemoryPressure"},{"type":"DiskPressure"},{"type":"PIDPressure"},{"type":"Ready"}],"conditions":[`)
	for i, k := range []string{"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"} {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"lastHeartbeatTime":"%s","type":"%s"}`, t, k)
	}
	b.WriteString(`]`)
	if g.r.IntN(4) == 0 {
		b.WriteString(`,"images":[`)
		for i := range 8 {
			a := g.apps[(len(n.name)+i*5+int(n.uid[0]))%len(g.apps)]
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"names":["%s"],"sizeBytes":%d}`, a.image, 20_000_000+len(a.image)*1234567)
		}
		b.WriteString(`]`)
	}
	b.WriteString(`}}`)
	c.request, c.took = b.String(), g.latency(9000)
}

func podStatus(g *Generator, c *call) {
	p := &g.pods[g.r.IntN(len(g.pods))]
	a := &g.apps[p.app]
	c.u = &g.nodes[p.node].kubelet
	c.level, c.verb, c.resource, c.namespace, c.name, c.sub = "Request", "patch", "pods", a.namespace, p.name, "status"
	t := second(g.now - int64(g.r.IntN(60_000_000)))
	c.request = fmt.Sprintf(`{"metadata":{"uid":"%s"},"status":{"$setElementOrder/conditions":[{"type":"PodReadyToStartContainers"},{"type":"Initialized"},{"type":"Ready"},{"type":"ContainersReady"},{"type":"PodScheduled"}],"conditions":[{"lastProbeTime":null,"lastTransitionTime":"%s","observedGeneration":1,"status":"True","type":"PodReadyToStartContainers"},{"lastTransitionTime":"%s","message":null,"reason":null,"status":"True","type":"Ready"},{"lastTransitionTime":"%s","message":null,"reason":null,"status":"True","type":"ContainersReady"}],"containerStatuses":[{"containerID":"containerd://%s","image":"%s","imageID":"%s@sha256:%s","lastState":{},"name":"%s","ready":true,"restartCount":%d,"started":true,"state":{"running":{"startedAt":"%s"}}}],"phase":"Running","podIP":"10.0.%d.%d"}}`,
		p.uid, t, t, t, g.hex(64), a.image, a.image, strings.Repeat(a.uid[:8], 8), a.name, g.r.IntN(3), t, g.r.IntN(96), g.r.IntN(250))
	c.took = g.latency(8000)
}

func podsRead(g *Generator, c *call) {
	c.level, c.resource = "Request", "pods"
	switch p := &g.pods[g.r.IntN(len(g.pods))]; g.r.IntN(4) {
	case 0:
		c.u, c.namespace, c.name = &g.nodes[p.node].kubelet, g.apps[p.app].namespace, p.name
	case 1:
		a := g.ofApp(c)
		c.verb, c.namespace, c.query, c.took = "list", a.namespace, "labelSelector=app%3D"+a.name+"&limit=500", g.latency(6000)
	case 2:
		g.ofController(c, 4+g.r.IntN(12))
		c.namespace, c.name = g.apps[p.app].namespace, p.name
	case 3:
		a := g.ofApp(c)
		c.group, c.resource, c.namespace, c.name = "apps", "deployments", a.namespace, a.name
	}
}

func watches(g *Generator, c *call) {
	c.level, c.verb = "Request", "watch"
	if g.r.IntN(2) == 0 {
		n := g.ofNode(c)
		c.resource, c.query = "pods", "allowWatchBookmarks=true&fieldSelector=spec.nodeName%3D"+n.name
	} else {
		g.ofController(c, 4+g.r.IntN(12))
		c.resource = []string{"pods", "services", "namespaces", "nodes"}[g.r.IntN(4)]
		c.query = "allowWatchBookmarks=true"
	}
	seconds := 300 + g.r.IntN(300)
	c.query += fmt.Sprintf("&resourceVersion=%d&timeout=%dm%ds&timeoutSeconds=%d&watch=true", g.version, seconds/60, seconds%60, seconds)
	c.watch = int64(seconds) * 1_000_000
}

func configsRead(g *Generator, c *call) {
	a := g.ofApp(c)
	c.resource, c.namespace, c.name = "configmaps", a.namespace, a.config
	if g.r.IntN(6) == 0 {
		c.verb, c.version, c.took = "update", g.revision(), g.latency(5000)
	}
}

func secretsRead(g *Generator, c *call) {
	a := g.ofApp(c)
	c.resource, c.namespace, c.name = "secrets", a.namespace, a.secret
	switch g.r.IntN(12) {
	case 0:
		c.verb, c.name, c.took = "list", "", g.latency(7000)
	case 1:
		g.refuse(c)
	}
}

// refuse is RBAC's answer.
func (g *Generator) refuse(c *call) {
	c.code, c.decision, c.reason = 403, "forbid", ""
	c.refused = fmt.Sprintf(`%s \"%s\" is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%s\" in the namespace \"%s\"`, c.resource, c.name, c.u.name, c.verb, c.resource, c.group, c.namespace)
}

func podBound(g *Generator, c *call) {
	g.ofController(c, 1)
	p := &g.pods[g.r.IntN(len(g.pods))]
	a := &g.apps[p.app]
	c.level, c.verb, c.resource, c.namespace, c.name, c.uid, c.sub, c.code = "RequestResponse", "create", "pods", a.namespace, p.name, p.uid, "binding", 201
	c.request = fmt.Sprintf(`{"kind":"Binding","apiVersion":"v1","metadata":{"name":"%s","namespace":"%s","uid":"%s"},"target":{"kind":"Node","name":"%s"}}`, p.name, a.namespace, p.uid, g.nodes[p.node].name)
	c.response = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}`
	c.took = g.latency(9000)
}

func tokenCreated(g *Generator, c *call) {
	p := &g.pods[g.r.IntN(len(g.pods))]
	a := &g.apps[p.app]
	c.u = &g.nodes[p.node].kubelet
	c.level, c.verb, c.resource, c.namespace, c.name, c.sub, c.code, c.both = "Request", "create", "serviceaccounts", a.namespace, a.name, "token", 201, true
	c.request = fmt.Sprintf(`{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","metadata":{},"spec":{"audiences":["https://kubernetes.default.svc"],"expirationSeconds":3607,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"%s","uid":"%s"}},"status":{"token":"","expirationTimestamp":null}}`, p.name, p.uid)
	c.took = g.latency(3500)
}

func tokenReviewed(g *Generator, c *call) {
	g.ofNode(c)
	c.verb, c.group, c.resource, c.code = "create", "authentication.k8s.io", "tokenreviews", 201
}

func accessReviewed(g *Generator, c *call) {
	g.ofNode(c)
	a := &g.apps[g.r.IntN(len(g.apps))]
	c.level, c.verb, c.group, c.resource, c.code = "RequestResponse", "create", "authorization.k8s.io", "subjectaccessreviews", 201
	spec := fmt.Sprintf(`"spec":{"nonResourceAttributes":{"path":"/metrics","verb":"get"},"user":"%s","groups":["system:serviceaccounts","system:serviceaccounts:%s","system:authenticated"]}`, a.account.name, a.namespace)
	head := `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{},` + spec
	c.request = head + `,"status":{"allowed":false}}`
	c.response = head + fmt.Sprintf(`,"status":{"allowed":true,"reason":"RBAC: allowed by ClusterRoleBinding \"%s\" of ClusterRole \"%s\" to ServiceAccount \"%s/%s\""}}`, a.name, a.name, a.name, a.namespace)
}

func discovery(g *Generator, c *call) {
	g.ofApp(c)
	paths := []string{"/api", "/apis", "/apis/apps/v1", "/apis/batch/v1", "/openapi/v2", "/apis/metrics.k8s.io/v1beta1", "/api/v1", "/apis/networking.k8s.io/v1"}
	c.path = paths[g.r.IntN(len(paths))]
	if g.r.IntN(4) == 0 {
		c.query = "timeout=32s"
	}
	c.allowed("system:discovery", "system:discovery", `Group \"system:authenticated\"`)
	c.took = g.latency(700)
}

func health(g *Generator, c *call) {
	c.u = &user{name: "system:anonymous", json: `{"username":"system:anonymous","groups":["system:unauthenticated"]}`, address: "10.0.64." + strconv.Itoa(10+g.r.IntN(4)), agent: "kube-probe/1.37+"}
	c.path = []string{"/livez", "/readyz"}[g.r.IntN(2)]
	c.allowed("system:public-info-viewer", "system:public-info-viewer", `Group \"system:unauthenticated\"`)
	c.took = g.latency(300)
}

func endpoints(g *Generator, c *call) {
	g.ofController(c, 8)
	a := &g.apps[g.r.IntN(len(g.apps))]
	c.verb, c.group, c.resource, c.namespace, c.name, c.uid, c.version = "update", "discovery.k8s.io", "endpointslices", a.namespace, a.name+"-"+a.hash[:5], a.uid, g.revision()
	c.took = g.latency(5000)
}

func custom(g *Generator, c *call) {
	a := g.ofApp(c)
	c.verb, c.group, c.resource, c.namespace, c.name = []string{"get", "list", "patch"}[g.r.IntN(3)], "argoproj.io", "applications", "argocd", a.name
}

func scaled(g *Generator, c *call) {
	g.ofController(c, 10)
	a := &g.apps[g.r.IntN(len(g.apps))]
	c.group, c.resource, c.namespace, c.name, c.sub = "apps", "deployments", a.namespace, a.name, "scale"
	c.level = "Request"
}

// admin reads what comes to mind, and changes little.
func admin(g *Generator, c *call) {
	c.u = &g.people[0]
	g.person(c)
}

func developers(g *Generator, c *call) {
	c.u = &g.people[2+g.r.IntN(len(g.people)-2)]
	g.person(c)
	if g.r.IntN(15) == 0 {
		g.refuse(c)
	}
}

func (g *Generator) person(c *call) {
	a := &g.apps[g.r.IntN(len(g.apps))]
	c.level, c.verb, c.resource, c.namespace, c.query = "Request", []string{"get", "list"}[g.r.IntN(2)], []string{"pods", "services", "nodes", "serviceaccounts"}[g.r.IntN(4)], a.namespace, "limit=500"
	if c.verb == "get" {
		c.name, c.query = a.name, ""
	}
	if g.r.IntN(8) == 0 {
		c.level, c.resource, c.name = "Metadata", "secrets", ""
		if c.verb == "get" {
			c.name = a.secret
		}
	}
}

// user1 is refused what it may not see.
func user1(g *Generator, c *call) {
	c.u = &g.people[1]
	g.person(c)
	if c.resource == "secrets" || c.resource == "nodes" {
		g.refuse(c)
	}
}
