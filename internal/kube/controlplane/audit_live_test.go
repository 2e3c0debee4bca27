package controlplane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// audited are requests, by whom, and the events that EKS's policy has of each: stages
// with their level, in order. Each rule of config/audit-policy.yaml has one that it
// alone decides, and one that it just doesn't.
var audited = []struct {
	user, verb, path, body string
	want                   string
}{
	// aws-auth: changes in full; what is read or made is metadata, as of all ConfigMaps.
	{"admin", "POST", "/api/v1/namespaces/kube-system/configmaps", `{"metadata":{"name":"aws-auth"},"data":{"a":"b"}}`, "ResponseComplete Metadata"},
	{"admin", "PUT", "/api/v1/namespaces/kube-system/configmaps/aws-auth", `{"metadata":{"name":"aws-auth"},"data":{"a":"c"}}`, "ResponseComplete RequestResponse"},
	{"admin", "PATCH", "/api/v1/namespaces/kube-system/configmaps/aws-auth", `{"data":{"a":"d"}}`, "ResponseComplete RequestResponse"},
	{"admin", "GET", "/api/v1/namespaces/kube-system/configmaps/aws-auth", "", "ResponseComplete Metadata"},
	{"user1", "PATCH", "/api/v1/namespaces/kube-system/configmaps/aws-auth", `{"data":{"a":"e"}}`, "ResponseComplete RequestResponse"}, // and refused
	{"admin", "PATCH", "/api/v1/namespaces/default/configmaps/aws-auth", `{"data":{"a":"d"}}`, "ResponseComplete Metadata"},
	{"admin", "DELETE", "/api/v1/namespaces/kube-system/configmaps/aws-auth", "", "ResponseComplete RequestResponse"},
	// kube-proxy's watches.
	{"kube-proxy", "GET", "/api/v1/services?watch=1&timeoutSeconds=1", "", ""},
	{"kube-proxy", "GET", "/api/v1/services", "", "ResponseComplete Request"},
	{"kube-proxy", "GET", "/api/v1/pods?watch=1&timeoutSeconds=1", "", "ResponseStarted Request, ResponseComplete Request"},
	{"user1", "GET", "/api/v1/services?watch=1&timeoutSeconds=1", "", "ResponseStarted Request, ResponseComplete Request"}, // refused
	{"admin", "GET", "/api/v1/services?watch=1&timeoutSeconds=1", "", "ResponseStarted Request, ResponseComplete Request"},
	// Nodes that look at themselves, and that tell how they are.
	{"kubelet", "GET", "/api/v1/nodes/n", "", ""},
	{"node", "GET", "/api/v1/nodes/n", "", ""},
	{"node", "GET", "/api/v1/nodes", "", "ResponseComplete Request"},
	{"node", "PATCH", "/api/v1/nodes/n/status", `{"status":{}}`, "ResponseComplete Request"},
	{"kubelet", "PATCH", "/api/v1/nodes/n/status", `{"status":{}}`, "ResponseComplete Request"},
	{"detector", "PATCH", "/api/v1/namespaces/default/pods/p/status", `{"status":{}}`, "ResponseComplete Request"},
	{"admin", "PATCH", "/api/v1/nodes/n/status", `{"status":{}}`, "ResponseComplete RequestResponse"},
	{"user1", "GET", "/api/v1/nodes/n", "", "ResponseComplete Request"},
	// The control plane's own.
	{"controllers", "GET", "/api/v1/namespaces/kube-system/endpoints/e", "", ""},
	{"scheduler", "PUT", "/api/v1/namespaces/kube-system/endpoints/e", `{"metadata":{"name":"e"}}`, ""},
	{"controllers", "GET", "/api/v1/namespaces/default/endpoints/e", "", "ResponseComplete Request"},
	{"apiserver", "GET", "/api/v1/namespaces/default", "", ""},
	{"apiserver", "GET", "/api/v1/namespaces", "", "ResponseComplete Request"},
	{"controllers", "GET", "/apis/metrics.k8s.io/v1beta1/pods", "", ""},
	{"namespaces", "DELETE", "/api/v1/namespaces/none/pods", "", "ResponseComplete Request"},
	{"user1", "DELETE", "/api/v1/namespaces/none/pods", "", "ResponseComplete RequestResponse"},
	// Health, versions, events.
	{"user1", "GET", "/healthz/ping", "", ""}, {"user1", "GET", "/version", "", ""}, {"user1", "GET", "/swagger-2.0.0.json", "", ""},
	{"user1", "GET", "/readyz", "", "ResponseComplete Metadata"},
	{"admin", "GET", "/api/v1/namespaces/default/events", "", ""},
	{"admin", "GET", "/apis/events.k8s.io/v1/namespaces/default/events", "", "ResponseComplete Metadata"}, // another group, of which nothing is said
	// What bodies would give away.
	{"admin", "POST", "/api/v1/namespaces/default/secrets", `{"metadata":{"name":"s"},"stringData":{"a":"hidden"}}`, "ResponseComplete Metadata"},
	{"user1", "GET", "/api/v1/namespaces/default/secrets/s", "", "ResponseComplete Metadata"},
	{"admin", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"x"}}`, "ResponseComplete Metadata"},
	{"admin", "POST", "/api/v1/namespaces/default/serviceaccounts/none/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`, "RequestReceived Request, ResponseComplete Request"},
	// The groups that the policy knows: reads by request, writes in full.
	{"admin", "GET", "/apis/apps/v1/deployments", "", "ResponseComplete Request"},
	{"admin", "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", `{"metadata":{"name":"r"}}`, "ResponseComplete RequestResponse"},
	{"admin", "GET", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/apiregistration.k8s.io/v1/apiservices", "", "ResponseComplete Request"},
	{"admin", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`, "ResponseComplete RequestResponse"},
	{"admin", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"verb":"get"}}}`, "ResponseComplete RequestResponse"},
	{"admin", "GET", "/apis/autoscaling/v2/horizontalpodautoscalers", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/batch/v1/jobs", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/certificates.k8s.io/v1/certificatesigningrequests", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/networking.k8s.io/v1/networkpolicies", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/policy/v1/poddisruptionbudgets", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/scheduling.k8s.io/v1/priorityclasses", "", "ResponseComplete Request"},
	{"admin", "GET", "/apis/storage.k8s.io/v1/storageclasses", "", "ResponseComplete Request"},
	{"user1", "GET", "/apis/extensions/v1beta1/ingresses", "", "ResponseComplete Request"},
	{"user1", "GET", "/apis/settings.k8s.io/v1/podpresets", "", "ResponseComplete Request"},
	{"user1", "GET", "/apis/metrics.k8s.io/v1beta1/nodes", "", "ResponseComplete Request"},
	// All else.
	{"admin", "GET", "/apis/coordination.k8s.io/v1/leases", "", "ResponseComplete Metadata"},
	{"admin", "POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", `{"metadata":{"name":"l"}}`, "ResponseComplete Metadata"},
	{"admin", "GET", "/apis/discovery.k8s.io/v1/endpointslices", "", "ResponseComplete Metadata"},
	{"admin", "GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", "", "ResponseComplete Metadata"},
	{"admin", "GET", "/apis", "", "ResponseComplete Metadata"}, {"admin", "GET", "/metrics", "", "ResponseComplete Metadata"},
	{"nobody", "GET", "/api/v1/namespaces/default/pods", "", "ResponseStarted Request"}, // without a user it goes no further than that
}

// auditUsers are who sends them, by token.
var auditUsers = map[string]authenticationv1.UserInfo{
	"admin":       {Username: "kubernetes-admin", Groups: []string{"system:masters"}},
	"user1":       {Username: "user1"},
	"kube-proxy":  {Username: "system:kube-proxy"},
	"kubelet":     {Username: "kubelet"},
	"node":        {Username: "system:node:n", Groups: []string{"system:nodes"}},
	"detector":    {Username: "system:node-problem-detector"},
	"controllers": {Username: "system:kube-controller-manager"},
	"scheduler":   {Username: "system:kube-scheduler"},
	"apiserver":   {Username: "system:apiserver"},
	"namespaces":  {Username: "system:serviceaccount:kube-system:namespace-controller"},
}

// The real API server writes what EKS's would of each request, and nothing else.
func TestAuditPolicyLive(t *testing.T) {
	l := newLive(t)
	l.users = auditUsers
	l.start()
	defer l.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for i, test := range audited {
		config := rest.AnonymousClientConfig(l.REST(l.pki))
		config.BearerToken, config.UserAgent = test.user, fmt.Sprintf("request-%d", i)
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		path, query, _ := strings.Cut(test.path, "?")
		r := client.Discovery().RESTClient().Verb(test.verb).AbsPath(path).SetHeader("Content-Type", "application/json")
		if test.verb == "PATCH" {
			r.SetHeader("Content-Type", "application/merge-patch+json")
		}
		for _, parameter := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
			name, value, _ := strings.Cut(parameter, "=")
			r.Param(name, value)
		}
		if test.body != "" {
			r.Body([]byte(test.body))
		}
		_, _ = r.DoRaw(ctx) // many are refused: that too is audited
	}
	got := make([]string, len(audited))
	data, err := os.ReadFile(l.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var e struct {
			Stage, Level, UserAgent       string
			RequestObject, ResponseObject json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		var i int
		if _, err := fmt.Sscanf(e.UserAgent, "request-%d", &i); err != nil {
			continue
		}
		got[i] = strings.TrimPrefix(got[i]+", "+e.Stage+" "+e.Level, ", ")
		if e.Level == "Metadata" && (e.RequestObject != nil || e.ResponseObject != nil) || e.Level == "Request" && e.ResponseObject != nil {
			t.Errorf("more than its level has: %s", line)
		}
	}
	for i, test := range audited {
		if got[i] != test.want {
			t.Errorf("%s: %s %s\ngot  %q\nwant %q", test.user, test.verb, test.path, got[i], test.want)
		}
	}
}
