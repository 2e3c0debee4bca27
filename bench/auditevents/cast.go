package auditevents

import (
	"fmt"
	"strings"
)

// user is who calls: its JSON in events, where from and by what program.
type user struct {
	name, json, address, agent string
}

type node struct {
	name, address, uid string
	kubelet            user
}

// app is a deployment with its replica set and service account.
type app struct {
	namespace, name, hash, uid, image string
	account                           user
	secret, config                    string
}

type pod struct {
	app  int
	node int
	name string
	uid  string
}

const (
	release = "v1.37.2 (linux/amd64) kubernetes/5e18a16"
	account = "111122223333"
)

// cast makes those who take part.
func (g *Generator) cast() {
	for i := range 60 {
		ip := fmt.Sprintf("10.0.%d.%d", 32*(i%3)+g.r.IntN(32), 4+g.r.IntN(250))
		n := node{name: "ip-" + strings.ReplaceAll(ip, ".", "-") + ".us-west-2.compute.internal", address: ip, uid: g.uuid()}
		n.kubelet = g.iam("system:node:"+n.name, []string{"system:bootstrappers", "system:nodes"}, "eksctl-cluster-nodegroup-ng-NodeInstanceRole", "i-0"+g.hex(16))
		n.kubelet.address, n.kubelet.agent = ip, "kubelet/"+release
		g.nodes = append(g.nodes, n)
	}
	for i, ns := range []string{"kube-system", "shop", "payments", "search", "monitoring", "argocd", "ingress", "batch", "staging", "ml"} {
		for j, name := range []string{"api", "web", "worker", "cache", "gateway", "sync"}[:3+i%4] {
			a := app{namespace: ns, name: ns + "-" + name, hash: g.letters(10), uid: g.uuid(), secret: ns + "-" + name + "-credentials", config: name + "-config"}
			a.image = fmt.Sprintf("%s.dkr.ecr.us-west-2.amazonaws.com/%s/%s:1.%d.%d", account, ns, name, i, j)
			a.account = g.serviceAccount(ns, a.name, name+"/v0.0.0 (linux/amd64) kubernetes/$Format")
			a.account.address = g.nodes[g.r.IntN(len(g.nodes))].address
			g.apps = append(g.apps, a)
		}
	}
	for range 900 {
		g.pods = append(g.pods, g.pod())
	}
	for _, c := range []string{"kube-controller-manager", "kube-scheduler", "apiserver", "cloud-controller-manager"} {
		u := user{name: "system:" + c, address: fmt.Sprintf("10.0.%d.%d", 64+g.r.IntN(32), g.r.IntN(250)), agent: c + "/" + release + "/" + c}
		u.json = fmt.Sprintf(`{"username":"system:%s","groups":["system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=%s"]}}`, c, g.hex(64))
		g.users = append(g.users, u)
	}
	for _, c := range []string{"replicaset-controller", "deployment-controller", "generic-garbage-collector", "namespace-controller", "endpointslice-controller", "node-controller", "horizontal-pod-autoscaler", "daemon-set-controller", "job-controller", "cronjob-controller", "resourcequota-controller", "service-account-controller"} {
		u := g.serviceAccount("kube-system", c, "kube-controller-manager/"+release+"/system:serviceaccount:kube-system:"+c)
		u.address = g.users[0].address
		g.users = append(g.users, u)
	}
	g.people = append(g.people, g.iam("kubernetes-admin", []string{"system:masters"}, "Admin", "ada"), g.iam("user1", []string{"user1:admins"}, "User1", "user1"))
	for _, name := range []string{"maria", "jonas", "li", "omar", "ines", "pipeline"} {
		g.people = append(g.people, g.iam(name, []string{"developers"}, "Developer", name))
	}
	for i := range g.people {
		g.people[i].address = fmt.Sprintf("203.0.113.%d", 10+i*7)
		g.people[i].agent = "kubectl/v1.37.1 (darwin/arm64) kubernetes/f6b4d0a"
	}
}

func (g *Generator) iam(name string, groups []string, role, session string) user {
	id := "AROA" + strings.ToUpper(g.letters(16))
	return user{name: name, json: fmt.Sprintf(`{"username":"%s","uid":"aws-iam-authenticator:%s:%s","groups":["%s","system:authenticated"],"extra":{"accessKeyId":["ASIA%s"],"arn":["arn:aws:sts::%s:assumed-role/%s/%s"],"canonicalArn":["arn:aws:iam::%s:role/%s"],"principalId":["%s"],"sessionName":["%s"],"sigs.k8s.io/aws-iam-authenticator/principalId":["%s"]}}`,
		name, account, id, strings.Join(groups, `","`), strings.ToUpper(g.letters(16)), account, role, session, account, role, id, session, id)}
}

func (g *Generator) serviceAccount(ns, name, agent string) user {
	full := "system:serviceaccount:" + ns + ":" + name
	return user{name: full, agent: agent, json: fmt.Sprintf(`{"username":"%s","uid":"%s","groups":["system:serviceaccounts","system:serviceaccounts:%s","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["JTI=%s"]}}`,
		full, g.uuid(), ns, g.uuid())}
}

// renew gives a service account a new token now and then.
func (g *Generator) renew(u *user) {
	const mark = `JTI=`
	if i := strings.Index(u.json, mark); i > 0 && g.r.IntN(400) == 0 {
		u.json = u.json[:i+len(mark)] + g.uuid() + u.json[i+len(mark)+36:]
	}
}

func (g *Generator) pod() pod {
	a := g.r.IntN(len(g.apps))
	return pod{a, g.r.IntN(len(g.nodes)), g.apps[a].name + "-" + g.apps[a].hash + "-" + g.letters(5), g.uuid()}
}

func (g *Generator) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[g.r.IntN(16)]
	}
	return string(b)
}
