package walkthrough

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lab is a running eksact and the terminal inside its VPC.
type lab struct {
	t     *testing.T
	flags []string
	state string
}

var program, _ = filepath.Abs("../../bin/eksact")

func start(t *testing.T) *lab {
	t.Helper()
	if os.Getenv("EKSACT_INTEGRATION") == "" {
		t.Skip("a real cluster takes root and half a minute: set EKSACT_INTEGRATION=1, as make test-integration does")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root for nodes and networks: run the tests as root")
	}
	if out, err := exec.Command(program, "status").CombinedOutput(); err == nil {
		t.Skipf("eksact runs on this machine already (eksact down ends it):\n%s", out)
	}
	state := t.TempDir()
	l := &lab{t: t, state: state, flags: []string{"--state-dir", state}}
	t.Cleanup(func() { l.eksact("down", "--purge") })
	l.eksact("up", "--timeout", "4m")
	return l
}

func (l *lab) eksact(args ...string) string {
	l.t.Helper()
	out, err := exec.Command(program, append(args, l.flags...)...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("eksact %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sh types a line into the terminal in the VPC.
func (l *lab) sh(line string) (string, error) {
	args := append([]string{"shell"}, l.flags...)
	cmd := exec.Command(program, append(args, "--", "bash", "-c", "cd ~/environment && "+line)...)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (l *lab) must(line string, wants ...string) string {
	l.t.Helper()
	out, err := l.sh(line)
	if err != nil {
		l.t.Fatalf("$ %s\n%s\n%v", line, out, err)
	}
	l.has(line, out, wants)
	return out
}

func (l *lab) refused(line string, wants ...string) {
	l.t.Helper()
	out, err := l.sh(line)
	if err == nil {
		l.t.Fatalf("$ %s\n%s\nwas not refused", line, out)
	}
	l.has(line, out, wants)
}

func (l *lab) has(line, out string, wants []string) {
	l.t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			l.t.Errorf("$ %s\n%s\nlacks %q", line, out, want)
		}
	}
}

func TestStepsOneToFour(t *testing.T) {
	l := start(t)

	// 1 Look at aws-auth.
	l.must("kubectl describe configmap -n kube-system aws-auth",
		"mapRoles", "system:bootstrappers", "system:nodes", "username: system:node:{{EC2PrivateDNSName}}")
	l.must("kubectl get nodes", "us-west-2.compute.internal", " Ready ")

	// 2 A role, mapped, with a namespace.
	l.must("./create-trust-document.sh", "111122223333")
	l.must("aws iam create-role --role-name eks-user1 --assume-role-policy-document file://trust-policy-document.json",
		`"RoleName": "eks-user1"`, "arn:aws:iam::111122223333:role/eks-user1")
	l.must("kubectl apply -f user1.yaml", "namespace/user1 created", "user1-admins created")
	l.must(`KUBE_EDITOR="sed -i 's#^  mapRoles: |#&\n    - rolearn: arn:aws:iam::111122223333:role/eks-user1\n      username: user1\n      groups: [user1:admins]#'" kubectl edit configmap -n kube-system aws-auth`,
		"configmap/aws-auth edited")

	// 3 Try it.
	l.must("mv ~/.kube/config ~/.kube/config-admin; aws sts get-caller-identity", "user/admin")
	l.must("aws eks update-kubeconfig --name cluster --role-arn arn:aws:iam::111122223333:role/eks-user1 --alias eks-user1 --region us-west-2",
		"Added new context eks-user1")
	l.refused("kubectl get all", `pods is forbidden: User "user1" cannot list resource "pods" in API group "" in the namespace "default"`)
	l.must("kubectl config set-context --current --namespace=user1", "modified")
	l.must("kubectl get all", "No resources found in user1 namespace.")
	l.must("mv ~/.kube/config ~/.kube/config-user1; cp ~/.kube/config-admin ~/.kube/config; kubectl get all --all-namespaces", "pod/coredns-")

	// 4 Secrets.
	l.must("kubectl create secret generic db-login --from-literal=username=user --from-literal=password=password --from-literal=address=db.example.com",
		"secret/db-login created")
	l.must("kubectl get secret db-login -o yaml", base64.StdEncoding.EncodeToString([]byte("db.example.com")))
	l.must("cp ~/.kube/config-user1 ~/.kube/config")
	l.refused("kubectl get secret db-login -o yaml --namespace=default",
		`Error from server (Forbidden): secrets "db-login" is forbidden: User "user1" cannot get resource "secrets" in API group "" in the namespace "default"`)

	t.Run("a wrong secret key is refused", func(t *testing.T) {
		l.refused("AWS_SECRET_ACCESS_KEY=wrong aws sts get-caller-identity", "SignatureDoesNotMatch")
	})
	t.Run("it resumes with all data", func(t *testing.T) {
		l.eksact("down")
		began := time.Now()
		l.eksact("up", "--timeout", "4m")
		t.Logf("up again after %.1f s", time.Since(began).Seconds())
		l.must("cp ~/.kube/config-admin ~/.kube/config; kubectl get secret db-login -o jsonpath={.data.username}", base64.StdEncoding.EncodeToString([]byte("user")))
		l.must("aws iam get-role --role-name eks-user1 --query Role.Arn --output text", "role/eks-user1")
	})
}
