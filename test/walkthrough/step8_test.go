package walkthrough

import (
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// ask is a shell function that runs a query over the last hour of the cluster's logs and
// prints its results.
const ask = `ask() {
	id=$(aws logs start-query --log-group-name /aws/eks/cluster/cluster --start-time $(date -d '1 hour ago' +%s) --end-time $(date +%s) --query-string "$1" --query queryId --output text) || exit
	while out=$(aws logs get-query-results --query-id $id --output json) && echo "$out" | grep -q '"status": "Running"'; do sleep 0.1; done
	echo "$out"
}
`

// audited types step 8: what the admin did, and what user1 was refused, is in the audit
// log; an alarm on the admin's activity fires.
func audited(t *testing.T, sh lab.Terminal) {
	sh = sh.After(ask)
	sh.Must(t, `ask 'fields @message | filter user.username = "kubernetes-admin"'`, `"status": "Complete"`, `\"username\":\"kubernetes-admin\"`)
	sh.Must(t, `ask 'fields @message | filter user.username = "user1" and objectRef.resource = "secrets"'`,
		`\"name\":\"db-login\"`, `\"code\":403`, `\"authorization.k8s.io/decision\":\"forbid\"`)
	sh.Must(t, `aws logs put-metric-filter --log-group-name /aws/eks/cluster/cluster --filter-name admin --filter-pattern '{ $.user.username = "kubernetes-admin" }' \
		--metric-transformations metricName=AdminActivity,metricNamespace=EKS,metricValue=1`)
	sh.Must(t, `aws cloudwatch put-metric-alarm --alarm-name admin --namespace EKS --metric-name AdminActivity --statistic Sum --period 60 --evaluation-periods 1 \
		--threshold 1 --comparison-operator GreaterThanOrEqualToThreshold --treat-missing-data notBreaching`)
	sh.Must(t, "KUBECONFIG=~/.kube/config-admin kubectl get nodes", " Ready ")
	sh.Soon(t, 10*time.Second, "aws cloudwatch describe-alarms --alarm-names admin --query MetricAlarms[].StateValue --output text", "ALARM")
}
