package walkthrough

import (
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/uplink"
)

const (
	account   = "111122223333"
	role      = "arn:aws:iam::" + account + ":role/eks-user1"
	balancers = ".us-west-2.elb.amazonaws.com"
)

// TestWorkshop goes through the workshop twice, on the host and in eksact shell, on one
// cluster. What is waited for without a hand on the keyboard goes on beside other parts.
func TestWorkshop(t *testing.T) {
	lab.Need(t)
	machine := uplink.New(t)
	l := lab.New(t)
	l.Images(t, "test/images/nginx.yaml")
	l.On = machine.Here // from here on no packet is to leave
	l.Up(t, "--hosts")
	host, shell, laptop := l.Host(t), l.Shell().AWS(t, "2"), l.Laptop().AWS(t, "2")
	home := host.After("unset KUBECONFIG").OldAWS(t) // as on any machine: the kubeconfig is the AWS CLI's

	lab.Together(t,
		lab.Part{Name: "what people do first", Test: func(t *testing.T) { first(t, host.AWS(t, "2"), shell, laptop) }},
		lab.Part{Name: "1 to 4 on the host by eksact env", Test: func(t *testing.T) {
			home.Must(t, "cp -r "+filepath.Join(lab.Root(t), "internal/cli/access/environment")+"/. . && chmod +x *.sh")
			home.Must(t, "aws eks update-kubeconfig --name cluster", "Added new context arn:aws:eks:us-west-2:"+account+":cluster/cluster")
			steps(t, home, home)
		}},
	)
	undo(t, home, laptop, lab.Part{Name: "its controls are proved, and refuted when undone", Test: func(t *testing.T) { verified(t, l, shell) }})
	t.Run("1 to 4 in eksact shell", func(t *testing.T) { steps(t, shell, laptop) })
	machine.CheckNothingSent()
	t.Run("8 the audit trail", func(t *testing.T) { audited(t, shell) })

	admin := shell.After("export KUBECONFIG=~/.kube/config-admin")
	t.Run("6 the endpoint is made private", func(t *testing.T) { madePrivate(t, admin, laptop) })
	lab.Together(t,
		lab.Part{Name: "6 outside it is met with silence", Test: func(t *testing.T) {
			laptop.Refused(t, "kubectl get --raw /version", "Unable to connect to the server: dial tcp 10.0.", ":443: i/o timeout")
		}},
		lab.Part{Name: "6 and public again", Test: func(t *testing.T) {
			machine.Await("tcp to 10.0.") // the line above tries
			madePublic(t, admin, laptop)
		}},
		lab.Part{Name: "7 network policies", Test: func(t *testing.T) { policies(t, l, shell, laptop) }},
	)
	t.Run("it resumes with all data, as in 2019", func(t *testing.T) { resumes(t, l, shell, laptop, host) })
	onlyToPrivateEndpoints(t, machine)
}

// first is what people do before anything else, on the machine and in the VPC.
func first(t *testing.T, host, shell, laptop lab.Terminal) {
	for _, line := range []string{
		"aws iam list-roles", "aws eks describe-cluster --name cluster",
		"kubectl get pods --all-namespaces", "kubectl auth whoami", "kubectl create configmap a --from-literal=b=c",
	} {
		host.Must(t, line)
	}
	host.Must(t, "aws sts get-caller-identity", "user/admin")
	host.Must(t, "kubectl get nodes", " Ready ")
	for _, x := range []lab.Terminal{shell, laptop} {
		x.Must(t, "aws sts get-caller-identity && kubectl get nodes && aws eks list-clusters", "user/admin", " Ready ", `"cluster"`)
	}
}

// steps types the workshop's lines, as written. What is to be seen from outside
// the VPC is looked at from each of outside.
func steps(t *testing.T, sh lab.Terminal, outside ...lab.Terminal) {
	// 1 Look at aws-auth.
	sh.Must(t, "kubectl describe configmap -n kube-system aws-auth",
		"mapRoles", "system:bootstrappers", "system:nodes", "username: system:node:{{EC2PrivateDNSName}}")
	sh.Must(t, "kubectl get nodes", "us-west-2.compute.internal", " Ready ")

	// 2 A role, mapped, with a namespace.
	sh.Must(t, "./create-trust-document.sh", account)
	sh.Must(t, "aws iam create-role --role-name eks-user1 --assume-role-policy-document file://trust-policy-document.json",
		`"RoleName": "eks-user1"`, role)
	sh.Must(t, "kubectl apply -f user1.yaml", "namespace/user1 created", "user1-admins created")
	sh.Must(t, `KUBE_EDITOR="sed -i 's#^  mapRoles: |#&\n    - rolearn: `+role+`\n      username: user1\n      groups: [user1:admins]#'" kubectl edit configmap -n kube-system aws-auth`,
		"configmap/aws-auth edited")

	// 3 Try it.
	sh.Must(t, "mv ~/.kube/config ~/.kube/config-admin; aws sts get-caller-identity", "user/admin")
	sh.Must(t, "aws eks update-kubeconfig --name cluster --role-arn "+role+" --alias eks-user1 --region us-west-2",
		"Added new context eks-user1")
	sh.Refused(t, "kubectl get all", `pods is forbidden: User "user1" cannot list resource "pods" in API group "" in the namespace "default"`)
	sh.Must(t, "kubectl config set-context --current --namespace=user1", "modified")
	sh.Must(t, "kubectl get all", "No resources found in user1 namespace.")
	sh.Must(t, "kubectl create deployment nginx --image=nginx", "deployment.apps/nginx created")
	sh.Must(t, "kubectl expose deployment nginx --port=80 --target-port=80 --name nginx --type=LoadBalancer", "service/nginx exposed")
	sh.Soon(t, 10*time.Second, "kubectl get services", "LoadBalancer", balancers)
	name := sh.Must(t, "kubectl get service nginx -o jsonpath={.status.loadBalancer.ingress[0].hostname}")
	opens(t, outside, name)
	sh.Must(t, "aws elb describe-load-balancers --query LoadBalancerDescriptions[].DNSName --output text", name)
	sh.Must(t, "mv ~/.kube/config ~/.kube/config-user1; cp ~/.kube/config-admin ~/.kube/config; kubectl get all --all-namespaces", "pod/coredns-", "pod/nginx-", "service/nginx")

	// 4 Secrets.
	sh.Must(t, "kubectl create secret generic db-login --from-literal=username=user --from-literal=password=password --from-literal=address=db.example.com",
		"secret/db-login created")
	sh.Must(t, "kubectl get secret db-login -o yaml", encoded("db.example.com"))
	sh.Must(t, "cp ~/.kube/config-user1 ~/.kube/config")
	sh.Refused(t, "kubectl get secret db-login -o yaml --namespace=default",
		`Error from server (Forbidden): secrets "db-login" is forbidden: User "user1" cannot get resource "secrets" in API group "" in the namespace "default"`)
}

// undo makes the steps possible once more. Something else is done while the namespace
// ends, which takes Kubernetes a while.
func undo(t *testing.T, sh, laptop lab.Terminal, meanwhile lab.Part) {
	sh.Must(t, "cp ~/.kube/config-admin ~/.kube/config && rm ~/.kube/config-*")
	sh.Must(t, `KUBE_EDITOR="sed -i '/eks-user1/,+2d'" kubectl edit configmap -n kube-system aws-auth`, "configmap/aws-auth edited")
	name := sh.Must(t, "kubectl get service nginx --namespace user1 -o jsonpath={.status.loadBalancer.ingress[0].hostname}")
	sh.Must(t, "kubectl delete secret db-login", "deleted")
	lab.Together(t, meanwhile, lab.Part{Name: "a namespace takes its load balancer along", Test: func(t *testing.T) {
		sh.Must(t, "kubectl delete namespace user1", "deleted")
		// Not from the host: its resolver would ask the world for a name that is gone.
		laptop.Refused(t, "curl --silent --show-error --max-time 5 http://"+name, "Could not resolve host")
	}})
	sh.Must(t, "aws iam delete-role --role-name eks-user1")
}

// opens is a browser's visit to a load balancer.
func opens(t *testing.T, outside []lab.Terminal, name string) {
	t.Helper()
	for _, x := range outside {
		x.Soon(t, 30*time.Second, "curl --silent --show-error --max-time 5 http://"+name, "<title>Welcome to nginx!</title>")
	}
}

// verified has the controls proved, and refuted where they are undone: what
// could not fail would prove nothing.
func verified(t *testing.T, l *lab.Lab, sh lab.Terminal) {
	const addon = " --cluster-name cluster --addon-name vpc-cni --configuration-values "
	const active = " && aws eks wait addon-active --cluster-name cluster --addon-name vpc-cni"
	for _, test := range []struct{ undo, redo, control, finding string }{
		{
			"kubectl create clusterrolebinding open --clusterrole=view --group=system:authenticated", "kubectl delete clusterrolebinding open",
			"namespace-scope", "listed the pods of namespace",
		},
		{
			"kubectl create clusterrolebinding open --clusterrole=cluster-admin --group=system:authenticated", "kubectl delete clusterrolebinding open",
			"secret-read", "read secret",
		},
		{
			"kubectl get configmap -n kube-system aws-auth -o yaml >aws-auth.yaml && kubectl patch configmap -n kube-system aws-auth --patch '{\"data\":{\"mapRoles\":\"\"}}'",
			"kubectl replace --force -f aws-auth.yaml",
			"node-role", "which aws-auth does not map",
		},
		{
			"kubectl get mutatingwebhookconfiguration pod-identity-webhook -o yaml >hook.yaml && kubectl delete -f hook.yaml", "kubectl replace --force -f hook.yaml",
			"irsa", `was made with AWS_ROLE_ARN=""`,
		},
		{
			"kubectl get mutatingwebhookconfiguration pod-identity-webhook -o yaml >hook.yaml && kubectl delete -f hook.yaml", "kubectl replace --force -f hook.yaml",
			"pod-identity", `was made with AWS_CONTAINER_CREDENTIALS_FULL_URI=""`,
		},
		{
			"aws eks update-addon" + addon + `'{"enableNetworkPolicy":"false"}'` + active, "aws eks update-addon" + addon + `'{"enableNetworkPolicy":"true"}'` + active,
			"network-policy", "fix: aws eks update-addon" + addon + `'{"enableNetworkPolicy":"true"}'`,
		},
	} {
		sh.Must(t, test.undo)
		out, err := l.Command("verify", test.control).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("eksact verify %s after %s\n%s\n%v, want exit status 1", test.control, test.undo, out, err)
		}
		lab.Has(t, "eksact verify "+test.control, string(out), "REFUTED", test.finding, "fix: ")
		sh.Must(t, test.redo)
	}
	lab.Has(t, "eksact verify", l.Eksact(t, "verify"), "8 proven")

	// Interrupted, it removes what it made too.
	cut := l.Command("verify")
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	_ = cut.Process.Signal(os.Interrupt)
	var exit *exec.ExitError
	if err := cut.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("eksact verify, interrupted: %v, want exit status 3", err)
	}
	sh.Soon(t, 30*time.Second, "! kubectl get namespaces | grep eksact-verify")
	if left := sh.Must(t, "kubectl get configmap -n kube-system aws-auth -o yaml && aws iam list-roles --output text && kubectl get services -A"); strings.Contains(left, "eksact-verify") {
		t.Errorf("eksact verify left something:\n%s", left)
	}
}

// resumes ends everything and starts it again, now as in 2019: the private endpoint's
// name is nobody's business outside.
func resumes(t *testing.T, l *lab.Lab, sh lab.Terminal, outside ...lab.Terminal) {
	l.Down(t)
	l.Up(t, "--hide-private-endpoints")
	sh.Must(t, "cp ~/.kube/config-admin ~/.kube/config; kubectl get secret db-login -o jsonpath={.data.username}", encoded("user"))
	sh.Must(t, "aws iam get-role --role-name eks-user1 --query Role.Arn --output text", role)
	opens(t, outside, sh.Must(t, "kubectl get service nginx --namespace user1 -o jsonpath={.status.loadBalancer.ingress[0].hostname}"))
	sh.Must(t, "kubectl get nodes", " Ready ")
	l.Laptop().Refused(t, "nslookup "+endpoint(t, l.Laptop()), "NXDOMAIN")
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
