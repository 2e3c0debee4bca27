package detect

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

const start = 1795435200000 // 2026-11-23T12:00:00Z

var params = Params{Allowed: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/16")}, Inside: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, Namespaces: []string{"web-2"}}

// event is an audit event in EKS's shape, with changes: "a.b" is set to a value, which is
// taken as JSON if it is, or removed if it is "-".
func event(changes ...string) string {
	e := map[string]any{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a0000000-0000-4000-8000-000000000001", "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/default/configmaps/c", "verb": "get",
		"user": map[string]any{"username": "jane", "groups": []any{"system:authenticated"}}, "sourceIPs": []any{"198.18.0.9"}, "userAgent": "kubectl/v1.37.2",
		"objectRef":      map[string]any{"resource": "configmaps", "namespace": "default", "name": "c", "apiVersion": "v1"},
		"responseStatus": map[string]any{"metadata": map[string]any{}, "code": 200},
		"annotations":    map[string]any{"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
	}
	b, _ := json.Marshal(e)
	return edited(string(b), changes...)
}

// edited is an event with more changes.
func edited(event string, changes ...string) string {
	var e map[string]any
	_ = json.Unmarshal([]byte(event), &e)
	for _, c := range changes {
		path, text, _ := strings.Cut(c, "=")
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			v = text
		}
		at, names := e, strings.Split(path, ".")
		for _, n := range names[:len(names)-1] {
			if at[n] == nil {
				at[n] = map[string]any{}
			}
			at = at[n].(map[string]any)
		}
		if last := names[len(names)-1]; text == "-" {
			delete(at, last)
		} else {
			at[last] = v
		}
	}
	b, _ := json.Marshal(e)
	return string(b)
}

// object sets what an event is about.
func object(verb, resource, namespace, name, sub string, more ...string) string {
	c := []string{"verb=" + verb, "objectRef.resource=" + resource, "objectRef.namespace=" + namespace, "objectRef.name=" + name, "requestURI=/x"}
	if sub != "" {
		c = append(c, "objectRef.subresource="+sub)
	}
	if namespace == "" {
		c[2] = "objectRef.namespace=-"
	}
	return event(append(c, more...)...)
}

const (
	apiServer = "user.username=system:apiserver"
	kubelet   = "user.username=system:node:ip-10-0-1-5.us-west-2.compute.internal"
	created   = "responseStatus.code=201"
	denied    = "responseStatus.code=403"
	switched  = "responseStatus.code=101"
)

// plane127 is the address of the control plane, which calls itself on its own machine.
const plane127 = `sourceIPs=["127.0.0.1"]`

// patched is a patch of a binding, and the binding that it leads to.
func patched(resource, patch, role, subjects string, more ...string) string {
	return object("patch", resource, "", "b", "", append([]string{"requestObject=" + patch, `responseObject={"roleRef":{"kind":"ClusterRole","name":"` + role + `"},"subjects":` + subjects + `}`}, more...)...)
}

// samples are events that a detection finds, some of which its filter pattern misses, and
// events close to them that neither finds.
var samples = map[string]struct{ found, passed, missed []string }{
	"account-outside": {
		found: []string{
			event("user.username=system:serviceaccount:default:web", `sourceIPs=["203.0.113.9"]`),
			event("user.username=system:serviceaccount:kube-system:deployment-controller", `sourceIPs=["203.0.113.9"]`),             // taken out of the control plane
			event("user.username=system:serviceaccount:kube-system:deployment-controller", `sourceIPs=["127.0.0.1","203.0.113.9"]`), // and a header that hides it
			event("user.username=system:serviceaccount:default:web", `sourceIPs=["10.0.1.7","203.0.113.9"]`),
			event("user.username=system:serviceaccount:default:web", `sourceIPs=["10.0.1.1","10.0.1.1","10.0.1.1","10.0.1.1","10.0.1.1","10.0.1.1","10.0.1.1","10.0.1.1","203.0.113.9"]`),
			event("user.username=system:serviceaccount:default:web", plane127),
		},
		passed: []string{
			event("user.username=system:serviceaccount:default:web", `sourceIPs=["10.0.1.7"]`), event(`sourceIPs=["203.0.113.9"]`), event("user.username=system:serviceaccount:default:web", `sourceIPs=["-"]`),
			event("user.username=system:serviceaccount:kube-system:deployment-controller", plane127), event("user.username=system:serviceaccount:kube-system:deployment-controller", `sourceIPs=["::1"]`),
			event("user.username=system:serviceaccount:default:web", `sourceIPs=["192.168.0.1","10.0.1.7"]`), // by a proxy in the VPC
		},
	},
	"admin-at-work": {found: []string{event("user.username=kubernetes-admin")}, passed: []string{event(), event("user.username=kubernetes-admin", "stage=RequestReceived")}},
	"admission-changed": {
		found:  []string{object("delete", "validatingwebhookconfigurations", "", "w", ""), object("create", "mutatingwebhookconfigurations", "", "w", "", created), object("patch", "validatingadmissionpolicies", "", "p", "")},
		passed: []string{object("list", "validatingwebhookconfigurations", "", "", ""), object("delete", "validatingwebhookconfigurations", "", "w", "", denied), object("update", "validatingwebhookconfigurations", "", "w", "", apiServer)},
	},
	"anonymous-allowed": {
		found:  []string{event("user.username=system:anonymous", "requestURI=/api/v1/pods")},
		passed: []string{event("user.username=system:anonymous", "requestURI=/version?timeout=32s"), event("user.username=system:anonymous", "requestURI=/livez"), event("user.username=system:anonymous", `annotations={"authorization.k8s.io/decision":"forbid"}`, denied), event("requestURI=/api/v1/pods")},
	},
	"anonymous-granted": {
		found: []string{
			object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"subjects":[{"kind":"Group","name":"system:unauthenticated"}]}`), object("patch", "rolebindings", "default", "b", "", `requestObject={"subjects":[{"name":"system:anonymous"}]}`),
			patched("clusterrolebindings", `[{"op":"add","path":"/subjects/-","value":{"kind":"User","name":"system:anonymous"}}]`, "view", `[{"name":"jane"},{"name":"system:anonymous"}]`),
			patched("clusterrolebindings", `[{"op":"replace","path":"/subjects","value":[{"name":"system:anonymous"}]}]`, "view", `[{"name":"system:anonymous"}]`),
			patched("clusterrolebindings", `[{"op":"replace","path":"/subjects/0/name","value":"system:anonymous"}]`, "view", `[{"name":"system:anonymous"}]`),
		},
		passed: []string{
			object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"subjects":[{"name":"jane"}]}`), object("create", "clusterrolebindings", "", "b", "", created, apiServer, `requestObject={"subjects":[{"name":"system:unauthenticated"}]}`),
			object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"metadata":{"labels":{"name":"system:anonymous"}},"subjects":[{"name":"jane"}]}`),
			patched("clusterrolebindings", `{"metadata":{"labels":{"a":"b"}}}`, "system:public-info-viewer", `[{"name":"system:unauthenticated"}]`),
			patched("clusterrolebindings", `[{"op":"remove","path":"/subjects/1"}]`, "view", `[{"name":"system:unauthenticated"}]`),
			patched("clusterrolebindings", `[{"op":"test","path":"/subjects/0","value":{"name":"system:anonymous"}},{"op":"remove","path":"/subjects/0"}]`, "view", `[]`),
		},
	},
	"aws-auth-edited": {
		found:  []string{object("update", "configmaps", "kube-system", "aws-auth", ""), object("delete", "configmaps", "kube-system", "aws-auth", "", "user.username=kubernetes-admin")},
		passed: []string{object("get", "configmaps", "kube-system", "aws-auth", ""), object("update", "configmaps", "default", "aws-auth", ""), object("update", "configmaps", "kube-system", "aws-auth", "", denied), object("update", "configmaps", "kube-system", "aws-auth", "", "user.username=eks:node-manager")},
	},
	"client-certificate": {
		found:  []string{object("create", "certificatesigningrequests", "", "c", "", created), object("update", "certificatesigningrequests", "", "c", "approval")},
		passed: []string{object("create", "certificatesigningrequests", "", "c", "", created, kubelet), object("get", "certificatesigningrequests", "", "c", "")},
	},
	"cluster-admin-bound": {
		found: []string{
			object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","name":"mallory"}]}`),
			object("update", "rolebindings", "default", "b", "", `requestObject={"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","name":"mallory"}]}`),
			patched("clusterrolebindings", `[{"op":"add","path":"/subjects/-","value":{"kind":"User","name":"mallory"}}]`, "cluster-admin", `[{"name":"system:masters"},{"name":"mallory"}]`),
			patched("clusterrolebindings", `[{"op":"replace","path":"/subjects","value":[{"kind":"User","name":"mallory"}]}]`, "cluster-admin", `[{"name":"mallory"}]`),
			patched("clusterrolebindings", `{"subjects":[{"kind":"User","name":"mallory"}]}`, "cluster-admin", `[{"name":"mallory"}]`),
			object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"roleRef":{"kind":"ClusterRole","name":"edit-all"},"subjects":[{"kind":"Group","name":"jane"},{"kind":"Group","name":"system:masters"}]}`),
			patched("clusterrolebindings", `[{"op":"add","path":"/metadata/labels/a","value":"b"},{"op":"add","path":"/subjects/-","value":{"name":"mallory"}}]`, "cluster-admin", `[{"name":"mallory"}]`),
			patched("clusterrolebindings", `[{"op":"copy","from":"/subjects/0","path":"/subjects/1"}]`, "cluster-admin", `[{"name":"mallory"},{"name":"mallory"}]`),
			patched("clusterrolebindings", `[{"op":"replace","path":"","value":{"subjects":[{"name":"mallory"}]}}]`, "cluster-admin", `[{"name":"mallory"}]`),
		},
		passed: []string{
			object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"roleRef":{"name":"view"},"subjects":[{"name":"jane"}]}`), object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"roleRef":{"name":"cluster-admin"}}`),
			object("create", "clusterrolebindings", "", "b", "", denied, `requestObject={"roleRef":{"name":"cluster-admin"},"subjects":[{"name":"mallory"}]}`), object("create", "clusterrolebindings", "", "b", "", created, apiServer, `requestObject={"roleRef":{"name":"cluster-admin"},"subjects":[{"name":"system:masters"}]}`),
			patched("clusterrolebindings", `{"metadata":{"labels":{"a":"b"}}}`, "cluster-admin", `[{"name":"system:masters"}]`),
			patched("clusterrolebindings", `[{"op":"remove","path":"/subjects/1"}]`, "cluster-admin", `[{"name":"system:masters"}]`),
			patched("clusterrolebindings", `[{"op":"add","path":"/subjects/-","value":{"name":"jane"}}]`, "view", `[{"name":"jane"}]`),
			patched("clusterrolebindings", `[{"op":"add","path":"/subjects/-","value":{"name":"mallory"}}]`, "cluster-admin", `[{"name":"mallory"}]`, denied),
		},
	},
	"debug-container": {found: []string{object("patch", "pods", "default", "web", "ephemeralcontainers")}, passed: []string{object("patch", "pods", "default", "web", ""), object("patch", "pods", "default", "web", "ephemeralcontainers", denied)}},
	"escalation-granted": {
		found: []string{
			object("create", "clusterroles", "", "r", "", created, `requestObject={"rules":[{"verbs":["get","impersonate"]}]}`),
			object("patch", "clusterroles", "", "r", "", `requestObject=[{"op":"add","path":"/rules/-","value":{"verbs":["bind"]}}]`, `responseObject={"rules":[{"verbs":["get"]},{"verbs":["bind"]}]}`),
			object("patch", "clusterroles", "", "r", "", `requestObject=[{"op":"add","path":"/rules/0/verbs/-","value":"bind"}]`, `responseObject={"rules":[{"verbs":["get","bind"]}]}`),
		},
		passed: []string{
			object("create", "clusterroles", "", "r", "", created, `requestObject={"rules":[{"verbs":["get"]}]}`), object("create", "pods", "default", "p", "", created, `requestObject={"args":["bind"]}`),
			object("patch", "clusterroles", "", "r", "", `requestObject=[{"op":"test","path":"/rules/0","value":{"verbs":["bind"]}},{"op":"remove","path":"/rules/0"}]`),
			object("create", "clusterroles", "", "r", "", created, `requestObject={"metadata":{"name":"bind"},"rules":[{"resourceNames":["bind"],"verbs":["get"]}]}`),
		},
	},
	"exec": {
		found:  []string{object("create", "pods", "default", "web", "exec", switched, "stage=ResponseStarted"), object("get", "pods", "default", "web", "attach", switched, "stage=ResponseStarted")},
		passed: []string{object("create", "pods", "default", "web", "exec", denied), object("get", "pods", "default", "web", "log", switched)},
	},
	"host-namespaces": {
		found:  []string{object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"hostPID":true}}`), object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"hostNetwork":true}}`)},
		passed: []string{object("create", "pods", "kube-system", "aws-node", "", created, `requestObject={"spec":{"hostNetwork":true}}`), object("create", "pods", "default", "web", "", denied, `requestObject={"spec":{"hostPID":true}}`), object("create", "pods", "default", "web", "", created, `requestObject={"metadata":{"labels":{"hostPID":"true"}},"spec":{"hostPID":false}}`)},
	},
	"host-path": {
		found:  []string{object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"volumes":[{"emptyDir":{}},{"hostPath":{"path":"/"}}]}}`)},
		passed: []string{object("create", "pods", "default", "web", "", created, `requestObject={"metadata":{"labels":{"hostPath":"a"},"annotations":{"hostPath":"{}"}},"spec":{"volumes":[{"emptyDir":{}}]}}`), object("create", "pods", "default", "web", "binding", created, `requestObject={"hostPath":{}}`)},
	},
	"impersonation": {found: []string{event("impersonatedUser.username=admin")}, passed: []string{event()}},
	"kube-system-pod": {
		found:  []string{object("create", "pods", "kube-system", "p", "", created), object("create", "serviceaccounts", "kube-system", "a", "", created)},
		passed: []string{object("create", "pods", "kube-system", "p", "", created, "user.username=system:serviceaccount:kube-system:daemon-set-controller"), object("create", "pods", "default", "p", "", created), object("create", "pods", "kube-system", "p", "exec", created)},
	},
	"network-policy-deleted": {
		found:  []string{object("delete", "networkpolicies", "default", "deny", ""), object("deletecollection", "networkpolicies", "default", "", "")},
		passed: []string{object("create", "networkpolicies", "default", "deny", "", created), object("deletecollection", "networkpolicies", "default", "", "", "user.username=system:serviceaccount:kube-system:namespace-controller"), object("delete", "networkpolicies", "default", "deny", "", denied)},
	},
	"node-proxy":   {found: []string{object("get", "nodes", "", "n", "proxy")}, passed: []string{object("get", "nodes", "", "n", ""), object("get", "nodes", "", "n", "proxy", apiServer)}},
	"port-forward": {found: []string{object("create", "pods", "default", "web", "portforward", switched, "stage=ResponseStarted")}, passed: []string{object("create", "pods", "default", "web", "portforward", denied)}},
	"privileged-pod": {
		found: []string{
			object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"containers":[{"securityContext":{"privileged":true}}]}}`),
			object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"containers":[{}],"initContainers":[{},{"securityContext":{"privileged":true}}]}}`),
		},
		passed: []string{object("create", "pods", "default", "web", "", created, `requestObject={"metadata":{"labels":{"privileged":"true"}},"spec":{"containers":[{"securityContext":{"privileged":false}}]}}`)},
	},
	"secrets-listed": {
		found: []string{
			object("list", "secrets", "", "", ""), object("list", "secrets", "", "", "", "user.username=system:serviceaccount:default:web"),
			object("list", "secrets", "", "", "", "user.username=system:serviceaccount:kube-system:add-on", `sourceIPs=["10.0.1.7"]`),
			object("list", "secrets", "", "", "", "user.username=system:serviceaccount:kube-system:generic-garbage-collector", `sourceIPs=["10.0.1.7"]`), // its token, in a pod
		},
		passed: []string{
			object("list", "secrets", "default", "", ""), object("list", "secrets", "", "", "", denied), object("list", "secrets", "", "", "", "user.username=system:kube-controller-manager"),
			object("list", "secrets", "", "", "", "user.username=system:serviceaccount:kube-system:generic-garbage-collector", plane127),
		},
	},
	"secrets-read": {
		found: []string{
			object("get", "secrets", "default", "s", ""), object("list", "secrets", "default", "", ""), object("get", "secrets", "kube-system", "s", "", "user.username=system:serviceaccount:web:default"),
			object("watch", "secrets", "kube-system", "", "", "user.username=system:serviceaccount:kube-public:default"), object("get", "secrets", "web-2", "s", "", "user.username=system:serviceaccount:web:db"), // which is named
		},
		missed: []string{object("list", "secrets", "web", "", "", "user.username=system:serviceaccount:web-2:default")},
		passed: []string{
			object("get", "secrets", "default", "s", "", denied), object("get", "secrets", "default", "s", "", kubelet), object("create", "secrets", "default", "s", "", created),
			object("get", "secrets", "web", "s", "", "user.username=system:serviceaccount:web:default"), object("get", "secrets", "default", "s", "", "user.username=system:serviceaccount:kube-system:expand-controller"),
		},
	},
	"secrets-refused": {found: []string{object("get", "secrets", "default", "s", "", denied)}, passed: []string{object("get", "secrets", "default", "s", ""), object("get", "configmaps", "default", "s", "", denied)}},
	"token-issued":    {found: []string{object("create", "serviceaccounts", "default", "web", "token", created)}, passed: []string{object("create", "serviceaccounts", "default", "web", "token", created, kubelet), object("create", "serviceaccounts", "default", "web", "", created)}},
	"unexpected-source": {
		found:  []string{event(`sourceIPs=["203.0.113.9"]`), event(`sourceIPs=["198.18.0.9","203.0.113.9"]`)},
		passed: []string{event(), event(`sourceIPs=["203.0.113.9"]`, kubelet), event(`sourceIPs=["192.168.0.7","198.18.0.9"]`)},
	},
	"wildcard-role": {
		found: []string{
			object("create", "roles", "default", "r", "", created, `requestObject={"rules":[{"verbs":["*"]}]}`), object("patch", "clusterroles", "", "r", "", `requestObject={"rules":[{"resources":["*"]}]}`),
			object("create", "clusterroles", "", "r", "", created, `requestObject={"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]},{"apiGroups":["*"],"resources":["pods","*"],"verbs":["get"]}]}`),
			object("update", "clusterroles", "", "r", "", `requestObject={"rules":[{"resources":["pods"],"verbs":["*","get"]}]}`),
			object("patch", "clusterroles", "", "r", "", `requestObject=[{"op":"add","path":"/rules/0/verbs/-","value":"*"}]`, `responseObject={"rules":[{"verbs":["get","*"]}]}`),
		},
		passed: []string{
			object("create", "roles", "default", "r", "", created, `requestObject={"rules":[{"verbs":["get"]}]}`), object("create", "clusterroles", "", "r", "", created, apiServer, `requestObject={"rules":[{"verbs":["*"]}]}`),
			object("create", "roles", "default", "r", "", created, `requestObject={"metadata":{"annotations":{"a":"{\"verbs\":[\"*\"]}"}},"rules":[{"apiGroups":["*"],"nonResourceURLs":["*"],"verbs":["get"]}]}`),
		},
	},
	"workload-persistence": {found: []string{object("create", "daemonsets", "default", "d", "", created), object("create", "cronjobs", "default", "c", "", created)}, passed: []string{object("create", "deployments", "default", "d", "", created), object("create", "daemonsets", "default", "d", "", denied)}},
}

// query runs a query over events, a second apart, and gives its rows.
func query(t *testing.T, text string, events []string) []map[string]string {
	t.Helper()
	return ask(t, text, source(events))
}

func source(events []string) *memory.Source {
	var list []memory.Event
	for i, e := range events {
		list = append(list, memory.Event{Time: start + int64(i)*1000, Ingested: start, Stream: "kube-apiserver-audit-0", Message: e})
	}
	return memory.New("111122223333:/aws/eks/cluster/cluster", list)
}

func ask(t *testing.T, text string, source scan.Source) []map[string]string {
	t.Helper()
	q, err := insights.Parse(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	r, err := q.Run(context.Background(), insights.Env{Open: func(context.Context, insights.Selection) (scan.Source, error) { return source, nil }, Start: start - 3600_000, End: start + 3600_000, Now: start + 3600_000})
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	var rows []map[string]string
	for i := range r.Rows {
		row := map[string]string{}
		for _, f := range r.Fields(i) {
			row[f.Name] = f.Value
		}
		rows = append(rows, row)
	}
	return rows
}

// spaced is an event as other programs write it: with blanks.
func spaced(e string) string {
	var b bytes.Buffer
	_ = json.Indent(&b, []byte(e), "", " ")
	return strings.ReplaceAll(b.String(), "\n", "")
}

// TestDetections: each detection finds its samples, by query and by filter pattern, and
// nothing close to them.
func TestDetections(t *testing.T) {
	for _, d := range All() {
		t.Run(d.ID, func(t *testing.T) {
			s, ok := samples[d.ID]
			if !ok {
				if d.Burst == 0 {
					t.Fatal("there is no sample")
				}
				return
			}
			look := d.Evidence(params)
			if d.Rule != "" {
				look = d.Query(params)
			}
			for _, write := range []func(string) string{func(e string) string { return e }, spaced} {
				for _, e := range slices.Concat(s.found, s.missed) {
					if rows := d.Meant(query(t, look, []string{write(e)})); len(rows) != 1 {
						t.Errorf("not found: %s\nby %s", write(e), look)
					}
				}
				for _, e := range s.passed {
					if rows := d.Meant(query(t, look, []string{write(e)})); len(rows) != 0 {
						t.Errorf("found, though it should not be: %s", write(e))
					}
				}
			}
			match := matcher(t, &d)
			for _, e := range s.found {
				if !match(e) {
					t.Errorf("no pattern matches %s", e)
				}
			}
			for _, e := range slices.Concat(s.passed, s.missed) {
				if match(e) {
					t.Errorf("a pattern matches %s", e)
				}
			}
		})
	}
}

// matcher says whether one of the detection's patterns matches an event.
func matcher(t *testing.T, d *Detection) func(event string) bool {
	t.Helper()
	texts, err := d.Patterns(params)
	if err != nil || len(texts) == 0 {
		t.Fatalf("%s has %d patterns, %v", d.ID, len(texts), err)
	}
	var list []*filter.Pattern
	for _, text := range texts {
		p, err := filter.Parse(text)
		if err != nil || len(text) > 1024 {
			t.Fatalf("%s: %v, %d characters: %s", d.ID, err, len(text), text)
		}
		list = append(list, p)
	}
	return func(event string) bool {
		return slices.ContainsFunc(list, func(p *filter.Pattern) bool { return p.Match(event) })
	}
}

// TestDryRuns: what a request would have written is nothing, and nothing hides what one
// writes.
func TestDryRuns(t *testing.T) {
	writes := 0
	for _, d := range All() {
		if !strings.Contains(d.Condition, "dryRun") || d.Burst > 0 {
			continue
		}
		writes++
		match := matcher(t, &d)
		for _, e := range samples[d.ID].found {
			deletes := strings.Contains(e, `"verb":"delete`)
			for change, dry := range map[string]bool{
				"requestURI=/x?dryRun=All": !deletes, "requestURI=/x?dryRun=All&fieldManager=kubectl-create": !deletes, "requestURI=/x?fieldManager=a&dryRun=All": !deletes, "requestURI=/x?a=b&dryRun=All&c=d": !deletes,
				`requestObject={"kind":"DeleteOptions","dryRun":["All"]}`: deletes,
				// A parameter within another, and two that the API server does not read.
				"requestURI=/x?fieldManager=dryRun=All": false, "requestURI=/x?dryRun=All;a": false, "requestURI=/x?dryRun=All%zz": false, "requestURI=/dryRun=All": false, "requestURI=/x": false,
			} {
				if !deletes && strings.HasPrefix(change, "requestObject") {
					continue
				}
				e := edited(e, change)
				found := len(d.Meant(query(t, d.Query(params), []string{e}))) > 0
				if found == dry || match(e) == dry {
					t.Errorf("%s: with %s, the query finds it: %v, a pattern: %v", d.ID, change, found, match(e))
				}
			}
		}
	}
	if writes < 14 {
		t.Errorf("%d detections look at writes", writes)
	}
	// A token that is asked for in a dry run is one.
	d, _ := Find("token-issued")
	if e := edited(samples["token-issued"].found[0], "requestURI=/x?dryRun=All"); len(query(t, d.Evidence(params), []string{e})) != 1 || !matcher(t, &d)(e) {
		t.Error("a token of a dry run is not found")
	}
	// What is in a patch can't make it one.
	d, _ = Find("cluster-admin-bound")
	if e := edited(samples[d.ID].found[4], `requestObject.dryRun=["All"]`); len(d.Meant(query(t, d.Query(params), []string{e}))) != 1 || !matcher(t, &d)(e) {
		t.Errorf("hidden by its text: %s", e)
	}
}

// TestTheTable: it is in order and whole.
func TestTheTable(t *testing.T) {
	all := All()
	if !slices.IsSortedFunc(all, func(a, b Detection) int { return strings.Compare(a.ID, b.ID) }) {
		var ids []string
		for _, d := range all {
			ids = append(ids, d.ID)
		}
		t.Errorf("the ids are not in order: %v", ids)
	}
	form := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	for _, d := range all {
		if (d.Rule == "") != (d.decide == nil) {
			t.Errorf("%s does not say what decides", d.ID)
		}
		if d.Title == "" || d.Why == "" || d.Do == "" || len(d.Sources) == 0 || d.Severity < Informational || d.Severity > Critical || !form.MatchString(d.Technique.ID) || tactics[d.Technique.Tactic] == "" {
			t.Errorf("%s is not whole: %+v", d.ID, d)
		}
		if found, ok := Find(d.ID); !ok || found.Title != d.Title {
			t.Errorf("%s is not found", d.ID)
		}
		if !d.Applies(params) {
			t.Errorf("%s does not apply", d.ID)
		}
	}
	for _, id := range []string{"account-outside", "unexpected-source"} {
		if d, _ := Find(id); d.Applies(Params{}) || d.Evidence(Params{}) != "" || len(d.Needs(Params{})) != 1 {
			t.Errorf("%s applies without networks", id)
		}
	}
	if _, ok := Find("nothing"); ok {
		t.Error("nothing is found")
	}
}

// TestFindings: events of one actor and target are one finding.
func TestFindings(t *testing.T) {
	d, _ := Find("secrets-read")
	events := []string{
		object("get", "secrets", "default", "s", "", `auditID=a1`), object("get", "secrets", "default", "s", "", `auditID=a2`),
		object("get", "secrets", "default", "s", "", `auditID=a2`), // a second time in the log
		object("get", "secrets", "default", `we"ird`, "", `auditID=a3`), event(),
	}
	found := d.Findings(params, query(t, d.Query(params), events))
	Sort(found)
	if len(found) != 2 {
		t.Fatalf("found %+v", found)
	}
	f := found[1]
	if f.Count != 2 || f.Actor != "jane" || f.Target != "default: secrets/s" || f.Verb != "get" || f.Source != "198.18.0.9" || f.Event != "a2" || !f.First.Equal(time.UnixMilli(start)) || !f.Last.Equal(time.UnixMilli(start+2000)) {
		t.Errorf("found %+v", f)
	}
	for i, want := range []int{1, 3} {
		if rows := query(t, found[i].Evidence, events); len(rows) != want {
			t.Errorf("%d events are evidence of finding %d, want %d:\n%s", len(rows), i, want, found[i].Evidence)
		}
	}
	forged := event(`sourceIPs=["198.18.0.9","203.0.113.9"]`) // by a header
	u, _ := Find("unexpected-source")
	if f := u.Findings(params, query(t, u.Query(params), []string{forged, event()})); len(f) != 1 || f[0].Source != "203.0.113.9" || len(query(t, f[0].Evidence, []string{forged, event(), event(`sourceIPs=["203.0.113.9"]`)})) != 2 {
		t.Errorf("a forged header: %+v", f)
	}
	again := d.Findings(params, query(t, d.Query(params), events))
	Sort(again)
	if again[0].ID != found[0].ID || found[0].ID == found[1].ID {
		t.Error("ids do not name findings")
	}
}

func TestBursts(t *testing.T) {
	d, _ := Find("forbidden-burst")
	burst := func(n int) (events []string) {
		for i := range n {
			events = append(events, object("get", "pods", "default", fmt.Sprint("p", i), "", denied, fmt.Sprintf("auditID=a%d", i)))
		}
		return events
	}
	if found := d.Findings(params, query(t, d.Query(params), burst(19))); len(found) != 0 {
		t.Errorf("19 are %+v", found)
	}
	scheduler := strings.ReplaceAll(strings.Join(burst(25), "\n"), `"jane"`, `"system:kube-scheduler"`)
	for source, want := range map[string]int{`"127.0.0.1"`: 0, `"127.0.0.1","10.0.1.7"`: 1, `"10.0.1.7"`: 1} { // a start, and its certificate elsewhere
		events := strings.Split(strings.ReplaceAll(scheduler, `"198.18.0.9"`, source), "\n")
		if found := d.Findings(params, query(t, d.Query(params), events)); len(found) != want {
			t.Errorf("the scheduler from %s: %+v", source, found)
		}
		if matcher(t, &d)(events[0]) != (want > 0) {
			t.Errorf("the pattern, of the scheduler from %s", source)
		}
	}
	found := d.Findings(params, query(t, d.Query(params), burst(25)))
	if len(found) != 1 || found[0].Count != 25 || found[0].Actor != "jane" {
		t.Fatalf("25 are %+v", found)
	}
	if rows := query(t, found[0].Evidence, burst(25)); len(rows) != 25 {
		t.Errorf("%d events are evidence", len(rows))
	}
}

// required are the attributes that OCSF 1.3.0 requires of the class and of the objects
// that are written, and allowed those that it knows.
// https://schema.ocsf.io/1.3.0/classes/detection_finding?extensions=
var ocsf = map[string]struct{ required, allowed []string }{
	"": {
		[]string{"activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid", "cloud"},
		[]string{"activity_name", "category_name", "class_name", "count", "end_time", "evidences", "message", "remediation", "resources", "severity", "start_time", "status", "status_id", "type_name"},
	},
	"metadata":                       {[]string{"product", "version"}, []string{"profiles", "log_name"}},
	"metadata.product":               {[]string{"name", "vendor_name"}, []string{"version", "feature"}},
	"metadata.product.feature":       {nil, []string{"name"}},
	"cloud":                          {[]string{"provider"}, []string{"region", "account"}},
	"cloud.account":                  {nil, []string{"uid", "type_id", "type"}},
	"finding_info":                   {[]string{"title", "uid"}, []string{"analytic", "attacks", "created_time", "desc", "first_seen_time", "last_seen_time", "types"}},
	"finding_info.analytic":          {[]string{"type_id"}, []string{"uid", "name", "type", "desc"}},
	"finding_info.attacks":           {nil, []string{"version", "technique", "tactic"}},
	"finding_info.attacks.technique": {nil, []string{"uid", "name"}},
	"finding_info.attacks.tactic":    {nil, []string{"uid", "name"}},
	"remediation":                    {[]string{"desc"}, []string{"references"}},
	"evidences":                      {nil, []string{"actor", "api", "data", "src_endpoint"}},
	"evidences.actor":                {nil, []string{"user"}},
	"evidences.actor.user":           {nil, []string{"name", "type_id", "type"}},
	"evidences.api":                  {[]string{"operation"}, []string{"service", "response"}},
	"evidences.api.service":          {nil, []string{"name"}},
	"evidences.api.response":         {nil, []string{"code"}},
	"evidences.src_endpoint":         {nil, []string{"ip"}},
	"resources":                      {nil, []string{"name", "type", "namespace", "region", "group"}},
	"resources.group":                {nil, []string{"name"}},
}

func TestOCSF(t *testing.T) {
	d, _ := Find("secrets-refused")
	f := d.Findings(params, query(t, d.Query(params), []string{object("get", "secrets", "default", "s", "", denied)}))[0]
	data, err := json.MarshalIndent(OCSF(f, About{Account: "111122223333", Region: "us-west-2", Group: "/aws/eks/cluster/cluster", Version: "v1", Now: time.UnixMilli(start)}), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	var check func(path string, v any)
	check = func(path string, v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				check(path, item)
			}
		case map[string]any:
			if strings.HasSuffix(path, ".data") {
				return // any JSON
			}
			shape, known := ocsf[path]
			if !known {
				t.Errorf("%s is not known", path)
			}
			for _, name := range shape.required {
				if v[name] == nil {
					t.Errorf("%s lacks %s", path, name)
				}
			}
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if !slices.Contains(shape.required, name) && !slices.Contains(shape.allowed, name) {
					t.Errorf("%s has %s, which is not known", path, name)
				}
				check(strings.TrimPrefix(path+"."+name, "."), v[name])
			}
		}
	}
	check("", e)
	if e["type_uid"] != 200401.0 || e["class_uid"] != 2004.0 || e["severity_id"] != 2.0 || e["finding_info"].(map[string]any)["uid"] != f.ID {
		t.Errorf("%s", data)
	}
}

// TestFindingsByRule: what a rule decided on is one finding for each actor and target, and
// its evidence the events that it decided for, no others.
func TestFindingsByRule(t *testing.T) {
	d, _ := Find("host-path")
	pod := func(id, name, spec string) string {
		return object("create", "pods", "default", name, "", created, "auditID="+id, "requestObject="+spec)
	}
	const mounts, labelled = `{"spec":{"volumes":[{"hostPath":{"path":"/"}}]}}`, `{"metadata":{"labels":{"hostPath":"a"}},"spec":{}}`
	events := []string{pod("a1", "p", mounts), pod("a2", "p", labelled), pod("a3", "p", mounts), pod("a3", "p", mounts), pod("a4", "q", mounts), pod("a5", "r", labelled)}
	found := d.Findings(params, d.Meant(query(t, d.Query(params), events)))
	if len(found) != 2 || found[0].Event != "a4" {
		t.Fatalf("found %+v", found)
	}
	f := found[1]
	if f.Count != 2 || f.Actor != "jane" || f.Target != "default: pods/p" || f.Event != "a3" || f.Code != "201" || !f.First.Equal(time.UnixMilli(start)) || !f.Last.Equal(time.UnixMilli(start+3000)) {
		t.Errorf("found %+v", f)
	}
	if rows := query(t, f.Evidence, events); len(rows) != 3 || rows[0]["auditID"] != "a3" || rows[2]["auditID"] != "a1" {
		t.Errorf("evidence are %v, by\n%s", rows, f.Evidence)
	}
}

// TestAStartIsQuiet: in the events of a cluster's start, before anybody did anything, nothing
// is found; and the credentials of its own parts, used elsewhere, are. The file is the audit
// log of eksact up --nodes 1, without managed fields and without what was read; its
// patterns are tried in the bundle.
func TestAStartIsQuiet(t *testing.T) {
	f, err := os.Open("testdata/start.log.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	log := strings.TrimSpace(string(data))
	if n := strings.Count(log, "\n"); n < 1000 {
		t.Fatalf("%d events are recorded", n)
	}
	// The events last no more than a start does, for bursts.
	at := func(log string) scan.Source {
		var list []memory.Event
		for i, e := range strings.Split(log, "\n") {
			list = append(list, memory.Event{Time: start + int64(i), Ingested: start, Stream: "kube-apiserver-audit-0", Message: e})
		}
		return memory.New("111122223333:/aws/eks/cluster/cluster", list)
	}
	p := Params{Allowed: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/16"), netip.MustParsePrefix("10.0.0.0/16")}, Inside: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}
	here, elsewhere := at(log), at(strings.ReplaceAll(log, `"sourceIPs":["127.0.0.1"]`, `"sourceIPs":["203.0.113.9"]`))
	for _, d := range All() {
		if found := d.Findings(p, d.Meant(ask(t, d.Query(p), here))); len(found) > 0 {
			t.Errorf("%s finds %d in a start, the first of %s %s from %s", d.ID, len(found), found[0].Actor, found[0].Verb, found[0].Source)
		}
	}
	for _, id := range []string{"account-outside", "forbidden-burst"} {
		d, _ := Find(id)
		if found := d.Findings(p, ask(t, d.Query(p), elsewhere)); len(found) == 0 {
			t.Errorf("%s finds nothing of the control plane's credentials elsewhere", id)
		}
	}
}
