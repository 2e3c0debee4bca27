package alerts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/test/lab"
)

// TestAlerts: step 8's alarms, and the others of the bundle: from an event in the audit log
// to the alarm, its notification, the finding.
func TestAlerts(t *testing.T) {
	l := lab.New(t)
	l.Up(t, "--nodes", "1")
	lab.Has(t, "audit findings of a start", l.Eksact(t, "audit", "findings"), "0 findings of 27 detections in /aws/eks/cluster/cluster, which is kept in "+l.State+".")
	if out, err := exec.Command(lab.Program(t), "audit", "findings", "--state-dir", "/nonexistent", "--run-dir", lab.RunDir).CombinedOutput(); err == nil || !strings.Contains(string(out), "has its data in "+l.State+", not in /nonexistent") {
		t.Errorf("of another state directory: %v\n%s", err, out)
	}
	host := l.Host(t).AWS(t, "2")
	user1 := stranger(t, l, host)

	posted := make(chan notification, 1000)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n := notification{at: time.Now(), kind: r.Header.Get("X-Amz-Sns-Message-Type")}
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		posted <- n
	}))
	defer hook.Close()
	lab.Has(t, "alerts enable", l.Eksact(t, "alerts", "enable", "--url", hook.URL), "27 alarms watch the audit log of cluster", "cluster-audit-alerts")
	select {
	case n := <-posted:
		if n.kind != "SubscriptionConfirmation" {
			t.Errorf("the hook got %s", n.kind)
		}
		host.Must(t, "aws sns confirm-subscription --topic-arn "+n.TopicArn+" --token "+n.Token, "SubscriptionArn")
	case <-time.After(lab.Busy * 20 * time.Second):
		t.Error("a hook on loopback was not asked to confirm")
	}
	host.Refused(t, "aws sns subscribe --topic-arn arn:aws:sns:us-west-2:111122223333:cluster-audit-alerts --protocol http --notification-endpoint http://10.9.9.9/", "10.9.9.9 is not on the Internet")
	host.Must(t, "aws cloudwatch describe-alarms --alarm-name-prefix cluster-audit- --query 'length(MetricAlarms)'")
	host.Must(t, "aws logs describe-metric-filters --log-group-name /aws/eks/cluster/cluster --filter-name-prefix secrets-", "secrets-refused")

	began := time.Now()
	user1.Refused(t, "kubectl get secret db-login", "forbidden")
	refused := time.Now()
	fired(t, l, "cluster-audit-secrets-refused", began, refused)
	told(t, posted, "cluster-audit-secrets-refused", refused)

	began = time.Now()
	host.Must(t, "kubectl get secret db-login")
	read := time.Now()
	fired(t, l, "cluster-audit-secrets-read", began, read)
	fired(t, l, "cluster-audit-admin-at-work", time.Time{}, read)
	host.Soon(t, 10*time.Second, "aws cloudwatch describe-alarm-history --alarm-name cluster-audit-secrets-refused --history-item-type Action", "Successfully executed action arn:aws:sns:us-west-2:111122223333:cluster-audit-alerts")
	// Its state by now is another's business: a minute after the event it is OK again.
	host.Must(t, "aws cloudwatch describe-alarm-history --alarm-name cluster-audit-secrets-refused --history-item-type StateUpdate", "to ALARM", "was greater than or equal to the threshold (1.0).")

	// Who may patch a binding needs no new one, and who lists resources hides a star among them.
	escalation(t, l, host)
	outside(t, l, host)
	dryRuns(t, l, host)

	// Nobody works from that network: every address is unexpected.
	lab.Has(t, "alerts enable", l.Eksact(t, "alerts", "enable", "--detection", "unexpected-source,admin-at-work", "--allowed", "203.0.113.0/24"), "2 alarms watch")
	began = time.Now()
	host.Must(t, "kubectl get namespaces")
	fired(t, l, "cluster-audit-unexpected-source", began, time.Now())

	lab.Has(t, "audit findings", l.Eksact(t, "audit", "findings", "--since", "1h"), "Somebody tried to read secrets and was refused", "user1 get default: secrets/db-login", "Somebody read secrets", "The cluster's creator is at work")
	lab.Has(t, "audit findings -o ocsf", l.Eksact(t, "audit", "findings", "--since", "1h", "--detection", "secrets-refused", "-o", "ocsf"), `"class_uid":2004`, `"uid":"T1552.007"`)
	lab.Has(t, "alerts", l.Eksact(t, "alerts", "--alarm", "cluster-audit-secrets-*"), "cluster-audit-secrets-refused", "cluster-audit-secrets-read", "ALARM")

	metrics(t, host)
	l.Eksact(t, "alerts", "disable")
	lab.Has(t, "the alarms that are left", host.Must(t, "aws cloudwatch describe-alarms --alarm-name-prefix cluster-audit- --query 'length(MetricAlarms)'"), "0")
}

// escalation is found however cluster-admin is reached; a label that looks like it is not.
func escalation(t *testing.T, l *lab.Lab, host lab.Terminal) {
	t.Helper()
	began := time.Now()
	host.Must(t, `kubectl patch clusterrolebinding cluster-admin --type=json -p '[{"op":"add","path":"/subjects/-","value":{"kind":"User","name":"mallory","apiGroup":"rbac.authorization.k8s.io"}}]'`)
	fired(t, l, "cluster-audit-cluster-admin-bound", began, time.Now())
	began = time.Now()
	host.Must(t, `kubectl patch clusterrolebinding system:basic-user --type=json -p '[{"op":"test","path":"/kind","value":"ClusterRoleBinding"},{"op":"add","path":"/metadata/labels/a","value":"b"},{"op":"replace","path":"/subjects/0/name","value":"system:unauthenticated"}]'`)
	fired(t, l, "cluster-audit-anonymous-granted", began, time.Now())
	began = time.Now()
	host.Must(t, `kubectl get secrets -A --as mallory`)
	host.Must(t, `kubectl create -f - <<'E'
{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"nearly"},"rules":[{"apiGroups":["*"],"resources":["*","pods"],"verbs":["*","get"]}]}
E`)
	fired(t, l, "cluster-audit-wildcard-role", began, time.Now())
	host.Must(t, `kubectl create -f - <<'E'
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"labelled","labels":{"hostPath":"no"},"annotations":{"privileged":"no"}},"spec":{"containers":[{"name":"c","image":"pause"}]}}
E`)
	out := l.Eksact(t, "audit", "findings", "--since", "1h")
	lab.Has(t, "audit findings", out, "cluster-admin was given to somebody", "kubernetes-admin patch clusterrolebindings/cluster-admin", "kubernetes-admin create clusterroles/nearly", "filter auditID in [")
	for _, not := range []string{"host-path", "privileged-pod", "account-outside", "forbidden-burst"} {
		if strings.Contains(out, not) {
			t.Errorf("%s is found:\n%s", not, out)
		}
	}
}

// outside: a service account's token is used where no pod is.
func outside(t *testing.T, l *lab.Lab, host lab.Terminal) {
	t.Helper()
	token := strings.TrimSpace(host.Must(t, "kubectl create token default"))
	began := time.Now()
	host.Must(t, `curl -sk -H "Authorization: Bearer `+token+`" "$(kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}')/api/v1/pods"`, "system:serviceaccount:default:default")
	fired(t, l, "cluster-audit-account-outside", began, time.Now())
}

// dryRuns leave nothing and are nothing; who only looks as if they made one is found.
func dryRuns(t *testing.T, l *lab.Lab, host lab.Terminal) {
	t.Helper()
	host.Must(t, `kubectl create -f - <<'E'
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"kept"},"spec":{"podSelector":{}}}
E`)
	host.Must(t, "kubectl create clusterrolebinding tried --clusterrole=cluster-admin --user=tried --dry-run=server")
	host.Must(t, `kubectl patch clusterrolebinding cluster-admin --dry-run=server --type=json -p '[{"op":"add","path":"/subjects/-","value":{"kind":"User","name":"tried","apiGroup":"rbac.authorization.k8s.io"}}]'`)
	host.Must(t, "kubectl delete networkpolicy kept --dry-run=server")
	host.Must(t, `kubectl create cronjob tried --image=pause --schedule='* * * * *' --dry-run=server`)
	host.Must(t, `kubectl create clusterrolebinding meant --clusterrole=cluster-admin --user=meant --field-manager=dryRun=All`)
	const meant = "kubernetes-admin create clusterrolebindings/meant"
	var out string
	for end := time.Now().Add(lab.Busy * 10 * time.Second); !strings.Contains(out, meant); time.Sleep(100 * time.Millisecond) {
		if out = l.Eksact(t, "audit", "findings", "--since", "1h", "--detection", "cluster-admin-bound,network-policy-deleted,workload-persistence"); time.Now().After(end) {
			break
		}
	}
	lab.Has(t, "audit findings", out, meant)
	for _, not := range []string{"clusterrolebindings/tried", "network-policy-deleted", "workload-persistence"} {
		if strings.Contains(out, not) {
			t.Errorf("of dry runs %s is found:\n%s", not, out)
		}
	}
	began := time.Now()
	host.Must(t, "kubectl delete networkpolicy kept")
	fired(t, l, "cluster-audit-network-policy-deleted", began, time.Now())
	for _, c := range changes(t, l) {
		if c.To == "ALARM" && strings.Contains(c.Alarm, "workload-persistence") {
			t.Errorf("a dry run made an alarm: %+v", c)
		}
	}
}

// metrics are written and read by AWS's CLI.
func metrics(t *testing.T, host lab.Terminal) {
	t.Helper()
	host.Must(t, "aws cloudwatch put-metric-data --namespace shop --metric-name orders --dimensions country=se --value 3")
	host.Must(t, "aws cloudwatch list-metrics --namespace shop", "orders", "country")
	host.Must(t, `aws cloudwatch get-metric-statistics --namespace shop --metric-name orders --dimensions Name=country,Value=se --statistics Sum --period 60 --start-time "$(date -u -d '-5 minutes' +%FT%TZ)" --end-time "$(date -u -d '+1 minute' +%FT%TZ)"`, `"Sum": 3.0`)
	host.Must(t, `aws cloudwatch get-metric-data --start-time "$(date -u -d '-5 minutes' +%FT%TZ)" --end-time "$(date -u -d '+1 minute' +%FT%TZ)" --metric-data-queries '[{"Id":"o","MetricStat":{"Metric":{"Namespace":"shop","MetricName":"orders","Dimensions":[{"Name":"country","Value":"se"}]},"Period":60,"Stat":"Sum"}},{"Id":"twice","Expression":"o * 2"}]'`, `"twice"`, "6.0")
	host.Refused(t, "aws cloudwatch put-metric-data --namespace AWS/EC2 --metric-name x --value 1", "InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
}

// stranger is the workshop's user1: a role that is mapped and has no rights.
func stranger(t *testing.T, l *lab.Lab, host lab.Terminal) lab.Terminal {
	t.Helper()
	const role = "arn:aws:iam::111122223333:role/eks-user1"
	host.Must(t, `aws iam create-role --role-name eks-user1 --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}'`)
	host.Must(t, `kubectl patch configmap aws-auth -n kube-system -p '{"data":{"mapRoles":"- rolearn: `+role+`\n  username: user1\n  groups: [user1:admins]\n"}}' ||
		kubectl create configmap aws-auth -n kube-system --from-literal=mapRoles='[{"rolearn":"`+role+`","username":"user1","groups":["user1:admins"]}]'`)
	host.Must(t, "kubectl create secret generic db-login --from-literal=password=password")
	x := l.Shell().AWS(t, "2").After("export KUBECONFIG=~/user1")
	x.Must(t, "aws eks update-kubeconfig --name cluster --role-arn "+role)
	return x
}

// fired waits for an alarm that was made by what ended at a time.
func fired(t *testing.T, l *lab.Lab, alarm string, after, event time.Time) {
	t.Helper()
	for {
		for _, c := range changes(t, l) {
			if c.Alarm != alarm || c.To != "ALARM" || c.At.Before(after) {
				continue
			}
			lab.Figure(t, alarm+" after the answer", c.At.Sub(event), 2*time.Second)
			return
		}
		if time.Since(event) > lab.Busy*20*time.Second {
			t.Fatalf("%s did not fire: %+v", alarm, changes(t, l))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A notification is what a topic posts to a hook.
type notification struct {
	at                             time.Time
	kind                           string
	Token, TopicArn, Message, Type string
}

// told waits for an alarm's notification by HTTP, whose goal is two seconds after the event.
func told(t *testing.T, posted chan notification, alarm string, event time.Time) {
	t.Helper()
	for end := time.After(lab.Busy * 20 * time.Second); ; {
		select {
		case n := <-posted:
			var m struct{ AlarmName, NewStateValue, NewStateReason string }
			if err := json.Unmarshal([]byte(n.Message), &m); err != nil || n.Type != "Notification" {
				t.Fatalf("%v: %+v", err, n)
			}
			if m.AlarmName != alarm || m.NewStateValue != "ALARM" {
				continue
			}
			lab.Figure(t, alarm+" by HTTP after the answer", n.at.Sub(event), 2*time.Second)
			lab.Has(t, alarm, m.NewStateReason, "was greater than or equal to the threshold (1.0)")
			return
		case <-end:
			t.Fatalf("%s is not told of", alarm)
		}
	}
}

// changes are those in the daemon's file.
func changes(t *testing.T, l *lab.Lab) (all []cloudwatch.StateChange) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.State, "alerts", "alerts.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var c cloudwatch.StateChange
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil && !strings.HasSuffix(lines.Text(), "}") {
			continue // it is being written
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}
