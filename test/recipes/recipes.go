package recipes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eksact/eksact/test/lab"
)

// recipe is policies and what they let through. All probes are answered without
// them, before and after.
type recipe struct {
	name, policies string
	probes         []probe
}

// Run tries all recipes in a lab of two nodes that has the image busybox, in two worlds at
// once, and leaves nothing there but namespaces.
func Run(t *testing.T, l *lab.Lab) {
	half := len(recipes) / 2
	lab.Together(t,
		lab.Part{Name: "the first", Test: func(t *testing.T) { run(t, newWorld(t, l, "-1"), recipes[:half]) }},
		lab.Part{Name: "the others", Test: func(t *testing.T) { run(t, newWorld(t, l, "-2"), recipes[half:]) }},
	)
}

func run(t *testing.T, w *world, recipes []recipe) {
	defer w.host.Must(t, fmt.Sprintf("for n in %s %s %s; do kubectl delete pods,services --all --namespace $n --timeout=180s || exit; done", w.named("shop"), w.named("office"), w.named("prod")))
	w.see(t, "before any policy", recipes[0].probes, true)
	for i, r := range recipes {
		t.Run(r.name, func(t *testing.T) {
			w.apply(t, strings.ReplaceAll(r.policies, "namespace: shop", "namespace: "+w.named("shop")))
			w.enforced(t)
			w.see(t, "under the policy", r.probes, false)
			w.clear(t)
			open := slices.Clone(r.probes)
			if i+1 < len(recipes) {
				open = append(open, recipes[i+1].probes...)
			}
			w.see(t, "after the policy, and before the next", open, true)
		})
	}
}

// head is what all policies begin with.
const head = `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: `

var recipes = []recipe{
	{
		name: "01 nobody reaches an application",
		policies: head + `web-deny-all}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: []
`,
		probes: []probe{
			{"shop/visitor", "shop/web", false},
			{"shop/visitor", "ip of shop/web", false},
			{"office/desk", "shop/web", false},
			{laptop, "shop/web", false},
			{"shop/visitor", "shop/api", true},
			{"shop/web", "shop/api", true}, // it is closed from outside alone
		},
	},
	{
		name: "02 only its own parts reach an application",
		policies: head + `api-allow}
spec:
  podSelector: {matchLabels: {app: bookstore, role: api}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: bookstore}}
`,
		probes: []probe{
			{"shop/search", "shop/api", true},
			{"shop/visitor", "shop/api", false},
			{"office/desk", "shop/api", false},
			{"shop/visitor", "shop/search", true},
		},
	},
	{
		name: "02a everybody reaches an application whatever else says no",
		policies: head + `web-deny-all}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: []
` + head + `web-allow-all}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - {}
` + head + `api-deny-all}
spec:
  podSelector: {matchLabels: {app: bookstore}}
  ingress: []
`,
		probes: []probe{
			{"shop/visitor", "shop/web", true},
			{"office/desk", "shop/web", true},
			{laptop, "shop/web", true},
			{"shop/visitor", "shop/api", false},
		},
	},
	{
		name: "03 nobody reaches anything in a namespace",
		policies: head + `default-deny-all}
spec:
  podSelector: {}
  ingress: []
`,
		probes: []probe{
			{"shop/visitor", "shop/web", false},
			{"shop/search", "shop/api", false},
			{"office/desk", "shop/inventory", false},
			{laptop, "shop/web", false},
			{"shop/visitor", "office/desk", true},
		},
	},
	{
		name: "04 other namespaces reach nothing",
		policies: head + `deny-from-other-namespaces}
spec:
  podSelector: {}
  ingress:
  - from:
    - podSelector: {}
`,
		probes: []probe{
			{"shop/visitor", "shop/web", true},
			{"shop/web", "shop/api", true},
			{"office/desk", "shop/web", false},
			{"prod/visitor", "ip of shop/web", false},
			{"office/desk", "prod/visitor", true},
		},
	},
	{
		name: "05 all namespaces reach one application",
		policies: head + `default-deny-all}
spec:
  podSelector: {}
  ingress: []
` + head + `web-allow-all-namespaces}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from:
    - namespaceSelector: {}
`,
		probes: []probe{
			{"shop/visitor", "shop/web", true},
			{"office/desk", "shop/web", true},
			{"prod/visitor", "shop/web", true},
			{"office/desk", "shop/api", false},
		},
	},
	{
		name: "06 one namespace reaches an application",
		policies: head + `web-allow-prod}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {purpose: production}}
`,
		probes: []probe{
			{"prod/visitor", "shop/web", true},
			{"office/desk", "shop/web", false},
			{"shop/visitor", "shop/web", false},
		},
	},
	{
		name: "07 some pods of another namespace reach an application",
		policies: head + `web-allow-all-ns-monitoring}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {team: operations}}
      podSelector: {matchLabels: {type: monitoring}}
`,
		probes: []probe{
			{"office/monitor", "shop/web", true},
			{"office/desk", "shop/web", false},
			{"prod/visitor", "shop/web", false},
			{"shop/visitor", "shop/web", false},
		},
	},
	{
		name: "08 the Internet reaches one application",
		policies: head + `default-deny-all}
spec:
  podSelector: {}
  ingress: []
` + head + `web-allow-external}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: []
    ports:
    - port: 80
`,
		probes: []probe{
			{laptop, "shop/web", true},
			{"office/desk", "shop/web", true},
			{"office/desk", "shop/web:5000", false},
			{"office/desk", "shop/api", false},
		},
	},
	{
		name: "09 some pods reach one port of an application",
		policies: head + `api-allow-5000}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports:
    - port: 5000
    from:
    - podSelector: {matchLabels: {app: bookstore, role: search}}
`,
		probes: []probe{
			{"shop/search", "shop/web:5000", true},
			{"shop/search", "shop/web", false},
			{"shop/api", "shop/web:5000", false},
			{"office/desk", "shop/web:5000", false},
		},
	},
	{
		name: "10 several kinds of pods reach an application",
		policies: head + `web-allow-services}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: bookstore, role: search}}
    - podSelector: {matchLabels: {app: bookstore, role: api}}
    - podSelector: {matchLabels: {app: inventory, role: web}}
`,
		probes: []probe{
			{"shop/search", "shop/web", true},
			{"shop/api", "shop/web", true},
			{"shop/inventory", "shop/web", true},
			{"shop/visitor", "shop/web", false},
		},
	},
	{
		name: "11 an application reaches nothing",
		policies: head + `visitor-deny-egress}
spec:
  podSelector: {matchLabels: {app: visitor}}
  policyTypes: [Egress]
  egress: []
`,
		probes: []probe{
			{"shop/visitor", "shop/web", false}, // not even its name
			{"shop/visitor", "ip of shop/web", false},
			{"shop/visitor", internet, false},
			{"shop/api", "shop/web", true},
			{"shop/web", "shop/visitor", true}, // what it is asked it may answer
		},
	},
	{
		name: "11 an application reaches names alone",
		policies: head + `visitor-allow-dns}
spec:
  podSelector: {matchLabels: {app: visitor}}
  policyTypes: [Egress]
  egress:
  - ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
`,
		probes: []probe{
			{"shop/visitor", "shop/web", false},
			{"shop/visitor", "ip of shop/web", false},
			{"shop/visitor", internet, false},
			{"shop/api", "shop/web", true},
		},
	},
	{
		name: "12 a namespace reaches nothing but names and what is allowed",
		policies: head + `default-deny-all-egress}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
` + head + `search-reaches-api}
spec:
  podSelector: {matchLabels: {role: search}}
  policyTypes: [Egress]
  egress:
  - to:
    - podSelector: {matchLabels: {role: api}}
`,
		probes: []probe{
			{"shop/search", "shop/api", true},
			{"shop/search", "shop/web", false},
			{"shop/visitor", "shop/web", false},
			{"shop/visitor", "office/desk", false},
			{"office/desk", "shop/web", true},
		},
	},
	{
		name: "14 an application reaches pods and not the Internet",
		policies: head + `visitor-deny-external-egress}
spec:
  podSelector: {matchLabels: {app: visitor}}
  policyTypes: [Egress]
  egress:
  - ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
  - to:
    - namespaceSelector: {}
`,
		probes: []probe{
			{"shop/visitor", "shop/web", true},
			{"shop/visitor", "office/desk", true},
			{"shop/visitor", internet, false},
			{"shop/api", internet, true},
		},
	},
}
