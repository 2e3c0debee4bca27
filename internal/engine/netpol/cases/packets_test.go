package cases_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/cases"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
)

const running = `
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {metadata: {labels: {app: web}}}}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: idle}, spec: {template: {metadata: {labels: {app: idle}}}}}
- {apiVersion: v1, kind: Pod, metadata: {name: web-5c-x, labels: {app: web, h: 5c}}, spec: {}, status: {phase: Running, podIPs: [{ip: 10.0.1.1}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: web-5c-y, labels: {app: web, h: 5c}}, spec: {}, status: {phase: Running, podIPs: [{ip: 10.0.1.2}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: web-old, labels: {app: web}}, spec: {}, status: {phase: Succeeded, podIPs: [{ip: 10.0.1.3}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: other, labels: {app: web}}, spec: {}, status: {phase: Running, podIPs: [{ip: 10.0.1.4}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: db, labels: {app: db}}, spec: {}, status: {phase: Running, podIPs: [{ip: 10.0.1.5}]}}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: db}
  spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}
`

// one parses a file of one case, and finds its flows.
func one(t *testing.T, text string) (*cases.Case, []*netpol.Explanation) {
	t.Helper()
	set := &manifest.Set{Served: true, PodCIDR: netip.MustParsePrefix("10.0.0.0/16")}
	if err := set.Add("running", []byte(running)); err != nil {
		t.Fatal(err)
	}
	f, err := cases.Parse("f", "cases:\n- {"+text+"}")
	if err != nil {
		t.Fatal(err)
	}
	flows, err := f.Cases[0].Flows(set)
	if err != nil {
		t.Fatal(err)
	}
	return f.Cases[0], flows
}

func TestPackets(t *testing.T) {
	const deny = "from: deployment/web, to: db, port: 80, expect: denied"
	allowed, denied := cases.Packets{Outcome: netpol.Allowed, How: "connected"}, cases.Packets{Outcome: netpol.Denied, How: "silence"}
	unsure := cases.Packets{Outcome: netpol.Unsure, How: "dead"}
	for _, tc := range []struct {
		name, text string
		tried      []cases.Packets
		problem    string // of the last flow
		differs    string
	}{
		{"as policies say", deny, []cases.Packets{denied, denied}, "", ""},
		{"one comes through", deny, []cases.Packets{denied, allowed},
			"default/web-5c-y (10.0.1.2) to default/db (10.0.1.5), TCP 80: expected denied, packets were let through (connected)",
			"policies say denied, packets were let through (connected)"},
		{"each reaches the other", "from: deployment/web, to: deployment/web, port: 80, expect: allowed", []cases.Packets{allowed, allowed}, "", ""},
		{"nothing is known", deny, []cases.Packets{denied, unsure}, "expected denied, packets were sent in vain (dead)", ""},
		{"dropped by something else", "from: db, to: other, port: 80, expect: denied", []cases.Packets{denied}, "",
			"policies say allowed, packets were dropped (silence)"},
		{"by the policy", deny + ", policy: db", []cases.Packets{denied, denied}, "", ""},
		{"by another policy", deny + ", policy: x", []cases.Packets{denied, denied}, "expected that policy x decides, got networkpolicy/default/db", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, flows := one(t, tc.text)
			if len(flows) != len(tc.tried) {
				t.Fatalf("%d flows, want %d", len(flows), len(tc.tried))
			}
			if err := c.Triable(flows); err != nil {
				t.Fatal(err)
			}
			r := c.Judge(flows, tc.tried)
			for _, part := range []struct {
				list []string
				want string
			}{{r.Problems, tc.problem}, {r.Differs, tc.differs}} {
				if got := strings.Join(part.list, "\n"); (got == "") != (part.want == "") || !strings.Contains(got, part.want) {
					t.Errorf("%q, want %q", got, part.want)
				}
			}
			if r.Holds() != (tc.problem == "") || len(r.Wrong) != len(r.Problems) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestWhatCannotBeTried(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"from: 198.51.100.7, to: db, port: 1, expect: denied", "f:2: 198.51.100.7 is no pod of the cluster"},
		{"from: deployment/idle, to: db, port: 1, expect: denied", "f:2: no pod of default/deployment/idle runs"},
		{"from: db, to: deployment/idle, port: 1, expect: denied", "f:2: no pod of default/deployment/idle runs"},
		{"from: db, to: other, port: 1/SCTP, expect: denied", "packets of TCP and UDP can be tried, not of SCTP"},
	} {
		c, flows := one(t, tc.text)
		if err := c.Triable(flows); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.text, err, tc.want)
		}
	}
}
