package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
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

var params = Params{Allowed: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/16")}, Inside: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}

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

// samples are events that a detection finds, and events close to them that it doesn't.
var samples = map[string]struct{ found, passed []string }{
	"account-outside": {
		[]string{event("user.username=system:serviceaccount:default:web", `sourceIPs=["203.0.113.9"]`)},
		[]string{event("user.username=system:serviceaccount:default:web", `sourceIPs=["10.0.1.7"]`), event(`sourceIPs=["203.0.113.9"]`), event("user.username=system:serviceaccount:default:web", `sourceIPs=["-"]`)},
	},
	"admin-at-work": {[]string{event("user.username=kubernetes-admin")}, []string{event(), event("user.username=kubernetes-admin", "stage=RequestReceived")}},
	"admission-changed": {
		[]string{object("delete", "validatingwebhookconfigurations", "", "w", ""), object("create", "mutatingwebhookconfigurations", "", "w", "", created), object("patch", "validatingadmissionpolicies", "", "p", "")},
		[]string{object("list", "validatingwebhookconfigurations", "", "", ""), object("delete", "validatingwebhookconfigurations", "", "w", "", denied), object("update", "validatingwebhookconfigurations", "", "w", "", apiServer)},
	},
	"anonymous-allowed": {
		[]string{event("user.username=system:anonymous", "requestURI=/api/v1/pods")},
		[]string{event("user.username=system:anonymous", "requestURI=/version?timeout=32s"), event("user.username=system:anonymous", "requestURI=/livez"), event("user.username=system:anonymous", `annotations={"authorization.k8s.io/decision":"forbid"}`, denied), event("requestURI=/api/v1/pods")},
	},
	"anonymous-granted": {
		[]string{object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"subjects":[{"kind":"Group","name":"system:unauthenticated"}]}`), object("patch", "rolebindings", "default", "b", "", `requestObject={"subjects":[{"name":"system:anonymous"}]}`)},
		[]string{object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"subjects":[{"name":"jane"}]}`), object("create", "clusterrolebindings", "", "b", "", created, apiServer, `requestObject={"subjects":[{"name":"system:unauthenticated"}]}`)},
	},
	"aws-auth-edited": {
		[]string{object("update", "configmaps", "kube-system", "aws-auth", ""), object("delete", "configmaps", "kube-system", "aws-auth", "", "user.username=kubernetes-admin")},
		[]string{object("get", "configmaps", "kube-system", "aws-auth", ""), object("update", "configmaps", "default", "aws-auth", ""), object("update", "configmaps", "kube-system", "aws-auth", "", denied), object("update", "configmaps", "kube-system", "aws-auth", "", "user.username=eks:node-manager")},
	},
	"client-certificate": {
		[]string{object("create", "certificatesigningrequests", "", "c", "", created), object("update", "certificatesigningrequests", "", "c", "approval")},
		[]string{object("create", "certificatesigningrequests", "", "c", "", created, kubelet), object("get", "certificatesigningrequests", "", "c", "")},
	},
	"cluster-admin-bound": {
		[]string{object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"roleRef":{"kind":"ClusterRole","name":"cluster-admin"}}`)},
		[]string{object("create", "clusterrolebindings", "", "b", "", created, `requestObject={"roleRef":{"name":"view"}}`), object("create", "clusterrolebindings", "", "b", "", denied, `requestObject={"roleRef":{"name":"cluster-admin"}}`), object("create", "clusterrolebindings", "", "b", "", created, apiServer, `requestObject={"roleRef":{"name":"cluster-admin"}}`)},
	},
	"debug-container": {[]string{object("patch", "pods", "default", "web", "ephemeralcontainers")}, []string{object("patch", "pods", "default", "web", ""), object("patch", "pods", "default", "web", "ephemeralcontainers", denied)}},
	"escalation-granted": {
		[]string{object("create", "clusterroles", "", "r", "", created, `requestObject={"rules":[{"verbs":["get","impersonate"]}]}`)},
		[]string{object("create", "clusterroles", "", "r", "", created, `requestObject={"rules":[{"verbs":["get"]}]}`), object("create", "pods", "default", "p", "", created, `requestObject={"args":["bind"]}`)},
	},
	"exec": {
		[]string{object("create", "pods", "default", "web", "exec", switched, "stage=ResponseStarted"), object("get", "pods", "default", "web", "attach", switched, "stage=ResponseStarted")},
		[]string{object("create", "pods", "default", "web", "exec", denied), object("get", "pods", "default", "web", "log", switched)},
	},
	"host-namespaces": {
		[]string{object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"hostPID":true}}`), object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"hostNetwork":true}}`)},
		[]string{object("create", "pods", "kube-system", "aws-node", "", created, `requestObject={"spec":{"hostNetwork":true}}`), object("create", "pods", "default", "web", "", denied, `requestObject={"spec":{"hostPID":true}}`), object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"hostPID":false}}`)},
	},
	"host-path":     {[]string{object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"volumes":[{"hostPath":{"path":"/"}}]}}`)}, []string{object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"volumes":[{"emptyDir":{}}]}}`), object("create", "pods", "default", "web", "binding", created, `requestObject={"hostPath":{}}`)}},
	"impersonation": {[]string{event("impersonatedUser.username=admin")}, []string{event()}},
	"kube-system-pod": {
		[]string{object("create", "pods", "kube-system", "p", "", created), object("create", "serviceaccounts", "kube-system", "a", "", created)},
		[]string{object("create", "pods", "kube-system", "p", "", created, "user.username=system:serviceaccount:kube-system:daemon-set-controller"), object("create", "pods", "default", "p", "", created), object("create", "pods", "kube-system", "p", "exec", created)},
	},
	"network-policy-deleted": {
		[]string{object("delete", "networkpolicies", "default", "deny", ""), object("deletecollection", "networkpolicies", "default", "", "")},
		[]string{object("create", "networkpolicies", "default", "deny", "", created), object("deletecollection", "networkpolicies", "default", "", "", "user.username=system:serviceaccount:kube-system:namespace-controller"), object("delete", "networkpolicies", "default", "deny", "", denied)},
	},
	"node-proxy":     {[]string{object("get", "nodes", "", "n", "proxy")}, []string{object("get", "nodes", "", "n", ""), object("get", "nodes", "", "n", "proxy", apiServer)}},
	"port-forward":   {[]string{object("create", "pods", "default", "web", "portforward", switched, "stage=ResponseStarted")}, []string{object("create", "pods", "default", "web", "portforward", denied)}},
	"privileged-pod": {[]string{object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"containers":[{"securityContext":{"privileged":true}}]}}`)}, []string{object("create", "pods", "default", "web", "", created, `requestObject={"spec":{"containers":[{"securityContext":{"privileged":false}}]}}`)}},
	"secrets-listed": {
		[]string{object("list", "secrets", "", "", ""), object("list", "secrets", "", "", "", "user.username=system:serviceaccount:default:web")},
		[]string{object("list", "secrets", "default", "", ""), object("list", "secrets", "", "", "", denied), object("list", "secrets", "", "", "", "user.username=system:kube-controller-manager"), object("list", "secrets", "", "", "", "user.username=system:serviceaccount:kube-system:generic-garbage-collector")},
	},
	"secrets-read":    {[]string{object("get", "secrets", "default", "s", ""), object("list", "secrets", "default", "", "")}, []string{object("get", "secrets", "default", "s", "", denied), object("get", "secrets", "default", "s", "", kubelet), object("create", "secrets", "default", "s", "", created)}},
	"secrets-refused": {[]string{object("get", "secrets", "default", "s", "", denied)}, []string{object("get", "secrets", "default", "s", ""), object("get", "configmaps", "default", "s", "", denied)}},
	"token-issued":    {[]string{object("create", "serviceaccounts", "default", "web", "token", created)}, []string{object("create", "serviceaccounts", "default", "web", "token", created, kubelet), object("create", "serviceaccounts", "default", "web", "", created)}},
	"unexpected-source": {
		[]string{event(`sourceIPs=["203.0.113.9"]`)},
		[]string{event(), event(`sourceIPs=["203.0.113.9"]`, kubelet)},
	},
	"wildcard-role": {
		[]string{object("create", "roles", "default", "r", "", created, `requestObject={"rules":[{"verbs":["*"]}]}`), object("patch", "clusterroles", "", "r", "", `requestObject={"rules":[{"resources":["*"]}]}`)},
		[]string{object("create", "roles", "default", "r", "", created, `requestObject={"rules":[{"verbs":["get"]}]}`), object("create", "clusterroles", "", "r", "", created, apiServer, `requestObject={"rules":[{"verbs":["*"]}]}`)},
	},
	"workload-persistence": {[]string{object("create", "daemonsets", "default", "d", "", created), object("create", "cronjobs", "default", "c", "", created)}, []string{object("create", "deployments", "default", "d", "", created), object("create", "daemonsets", "default", "d", "", denied)}},
}

// query runs a query over events, a second apart, and gives its rows.
func query(t *testing.T, text string, events []string) []map[string]string {
	t.Helper()
	q, err := insights.Parse(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	var list []memory.Event
	for i, e := range events {
		list = append(list, memory.Event{Time: start + int64(i)*1000, Ingested: start, Stream: "kube-apiserver-audit-0", Message: e})
	}
	source := memory.New("111122223333:/aws/eks/cluster/cluster", list)
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
			if rows := query(t, d.Evidence(params), s.found); len(rows) != len(s.found) {
				t.Errorf("%d of %d events are found by\n%s", len(rows), len(s.found), d.Evidence(params))
			}
			for _, e := range s.passed {
				if rows := query(t, d.Evidence(params), []string{e}); len(rows) != 0 {
					t.Errorf("found, though it should not be: %s", e)
				}
			}
			if d.Pattern == "" {
				return
			}
			p, err := filter.Parse(d.Pattern)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Pattern) > 1024 {
				t.Errorf("the pattern has %d characters", len(d.Pattern))
			}
			for _, e := range s.found {
				if !p.Match(e) {
					t.Errorf("the pattern does not match %s", e)
				}
			}
			for _, e := range s.passed {
				if p.Match(e) {
					t.Errorf("the pattern matches %s", e)
				}
			}
		})
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
		if d, _ := Find(id); d.Applies(Params{}) {
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
