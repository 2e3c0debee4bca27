package nodes

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/test/lab"
)

// second makes another cluster through the EKS API, tries each one's tokens on
// the other, and deletes it.
func (h *house) second(t *testing.T) {
	sh := h.Shell().AWS(t, "2")
	before := h.status(t)
	sh.Must(t, `aws eks create-cluster --name second --tags team=blue \
		--role-arn $(aws eks describe-cluster --name cluster --query cluster.roleArn --output text) \
		--resources-vpc-config subnetIds=$(aws eks describe-cluster --name cluster --query 'cluster.resourcesVpcConfig.subnetIds' --output text | tr '\t' ,)`,
		`"status": "CREATING"`, `"team": "blue"`)
	sh.Refused(t, "aws eks create-cluster --name second --role-arn arn:aws:iam::111122223333:role/none --resources-vpc-config subnetIds=subnet-1,subnet-2", "An error occurred (")
	took := sh.Soon(t, time.Minute, "aws eks describe-cluster --name second --query cluster.status", "ACTIVE")
	t.Logf("ACTIVE after %.1f s", took.Seconds())
	sh.Must(t, "aws eks list-clusters --output text", "cluster", "second")

	sh.Must(t, "aws eks update-kubeconfig --name second --alias second", "Added new context second")
	sh.Must(t, "kubectl --context second auth whoami", "kubernetes-admin", "system:masters")
	sh.Must(t, "kubectl --context second create configmap mark --from-literal=here=second", "created")
	sh.Must(t, "kubectl --context second get nodes", "No resources found")
	// The first cluster's namespace of the same name is another.
	h.host.Refused(t, "kubectl get configmap mark", "NotFound")
	h.Host(t).Must(t, "kubectl config current-context", "cluster/cluster")

	t.Run("a token of the other cluster is refused", func(t *testing.T) { h.foreignTokens(t, sh) })

	sh.Must(t, "aws eks delete-cluster --name second", "DELETING")
	gone := time.Now()
	for {
		out, err := sh.Run("aws eks describe-cluster --name second")
		if err != nil {
			lab.Has(t, "describe-cluster", out, "ResourceNotFoundException", "No cluster found for name: second.")
			break
		}
		if time.Since(gone) > lab.Busy*time.Minute {
			t.Fatalf("it is still there after minutes:\n%s", out)
		}
	}
	t.Logf("deleted after %.1f s", time.Since(gone).Seconds())
	h.unharmed(t, before)
}

// foreignTokens shows each cluster both clusters' tokens.
func (h *house) foreignTokens(t *testing.T, sh lab.Terminal) {
	names := []string{"cluster", "second"}
	for _, name := range names {
		sh.Must(t, "aws eks describe-cluster --name "+name+" >"+name+".json && aws eks get-token --cluster-name "+name+" | jq -r .status.token >"+name+".token && "+
			"jq -r .cluster.certificateAuthority.data "+name+".json | base64 -d >"+name+".crt")
	}
	for _, target := range names {
		for _, token := range names {
			line := `curl -sS -m 60 -w ' HTTP %{http_code}' -H "Authorization: Bearer $(cat ` + token + `.token)" ` +
				`--cacert ` + target + `.crt $(jq -r .cluster.endpoint ` + target + `.json)/api/v1/namespaces/default`
			if target == token {
				sh.Must(t, line, "HTTP 200", `"name": "default"`)
			} else {
				sh.Must(t, line, "HTTP 401", `"message": "Unauthorized"`)
			}
		}
	}
}

// unharmed checks that what ran before runs on, and nothing else.
func (h *house) unharmed(t *testing.T, before control.Status) {
	after := h.status(t)
	if len(after.Clusters) != 1 {
		t.Errorf("clusters: %+v", after.Clusters)
	}
	for _, p := range after.Processes {
		i := slices.IndexFunc(before.Processes, func(b control.Process) bool { return b.Name == p.Name })
		if i < 0 || before.Processes[i].Pid != p.Pid || p.Restarts != before.Processes[i].Restarts {
			t.Errorf("process %+v is not one that ran before", p)
		}
		if strings.HasSuffix(p.Name, "@second") {
			t.Errorf("%s runs on", p.Name)
		}
	}
	if len(after.Processes) != len(before.Processes) {
		t.Errorf("%d processes, %d before", len(after.Processes), len(before.Processes))
	}
	h.host.Must(t, "kubectl get pod web-0 web-1", "web-0   1/1", "web-1   1/1")
}
