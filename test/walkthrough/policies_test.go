package walkthrough

import (
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// dropped is what curl says of packets that nobody answers.
const dropped = "curl: (28)"

// policies types step 7: NetworkPolicy, and who may change it. Steps 1 to 4 went
// before.
func policies(t *testing.T, l *lab.Lab, sh lab.Terminal, outside ...lab.Terminal) {
	sh.Must(t, "cp ~/.kube/config-admin ~/.kube/config")
	name := sh.Must(t, "kubectl get service nginx --namespace user1 -o jsonpath={.status.loadBalancer.ingress[0].hostname}")
	opens(t, outside, name)

	sh.Must(t, "kubectl apply -f default-deny.yaml --namespace user1", "networkpolicy.networking.k8s.io/default-deny created")
	l.Eksact(t, "netpol", "wait")
	inside := "kubectl exec --namespace user1 deploy/nginx -- curl --silent --show-error --insecure --max-time 2 "
	lab.Together(t,
		lab.Part{Name: "nobody comes in", Test: func(t *testing.T) { closed(t, outside, name) }},
		lab.Part{Name: "pods reach no load balancer", Test: func(t *testing.T) { sh.Refused(t, inside+"http://"+name, dropped) }},
		lab.Part{Name: "nor the API", Test: func(t *testing.T) { sh.Refused(t, inside+"https://172.20.0.1/version", dropped) }},
	)

	sh.Must(t, "kubectl apply -f nginx-allow-external.yaml --namespace user1", "networkpolicy.networking.k8s.io/nginx-allow-external created")
	opens(t, outside, name)
	sh.Refused(t, inside+"https://172.20.0.1/version", dropped) // what may come in is not what may go out
	sh.Must(t, "kubectl get networkpolicies --namespace user1", "default-deny", "nginx-allow-external")

	t.Run("user1 may change policies until the role says otherwise", func(t *testing.T) { policyRights(t, l, sh, outside, name) })

	sh.Must(t, "kubectl delete networkpolicies --all --namespace user1", "deleted")
	l.Eksact(t, "netpol", "wait")
	opens(t, outside, name)
	sh.Soon(t, 10*time.Second, inside+"https://172.20.0.1/version", "Unauthorized")
	sh.Must(t, "cp ~/.kube/config-user1 ~/.kube/config")
}

// policyRights gives user1 the built-in role edit without policies.
func policyRights(t *testing.T, l *lab.Lab, sh lab.Terminal, outside []lab.Terminal, name string) {
	user1 := sh.After("export KUBECONFIG=~/.kube/config-user1")
	user1.Must(t, "kubectl delete networkpolicy nginx-allow-external", "deleted")
	l.Eksact(t, "netpol", "wait")
	closed(t, outside, name)
	user1.Must(t, "kubectl apply -f nginx-allow-external.yaml", "created")
	opens(t, outside, name)

	sh.Must(t, "kubectl get clusterrole edit -o yaml", "networkpolicies")
	sh.Must(t, `kubectl get clusterrole edit -o json | jq '{apiVersion, kind, metadata: {name: "edit-no-policies"}, rules: [.rules[] | .resources -= ["networkpolicies"] | select(.resources != [])]}' | kubectl apply -f -`,
		"edit-no-policies created")
	sh.Must(t, "kubectl delete rolebinding user1-admins --namespace user1 && kubectl create rolebinding user1-admins --namespace user1 --clusterrole=edit-no-policies --group=user1:admins",
		"created")
	for _, line := range []string{"delete networkpolicy nginx-allow-external", "delete networkpolicies --all", "get networkpolicies", "apply -f default-deny.yaml"} {
		user1.Refused(t, "kubectl "+line, "Error from server (Forbidden)", `User "user1" cannot `, `resource "networkpolicies" in API group "networking.k8s.io" in the namespace "user1"`)
	}
	user1.Must(t, "kubectl create deployment second --image=nginx", "created")
	user1.Must(t, "kubectl delete deployment second", "deleted")
	opens(t, outside, name)
	sh.Must(t, "kubectl get networkpolicies --namespace user1", "default-deny", "nginx-allow-external")
	sh.Must(t, "kubectl delete clusterrole edit-no-policies", "deleted")
}

// closed is a browser's visit to a load balancer that does not answer.
func closed(t *testing.T, outside []lab.Terminal, name string) {
	t.Helper()
	for _, x := range outside {
		if out := x.Refused(t, "curl --silent --show-error --max-time 3 http://"+name, "curl: ("); strings.Contains(out, "Could not resolve host") {
			t.Errorf("%s was not refused, its name has no address: %s", name, out)
		}
	}
}
