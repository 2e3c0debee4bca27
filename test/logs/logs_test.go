package logs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/token"
	"github.com/eksact/eksact/test/lab"
)

const group = "/aws/eks/cluster/cluster"

// machine is a lab with clients.
type machine struct {
	*lab.Lab
	t    *testing.T
	host lab.Terminal
	logs *cloudwatchlogs.Client
	kube kubernetes.Interface // as the admin
	// since is when all was switched on, in epoch milliseconds.
	since int64
}

func TestControlPlaneLogs(t *testing.T) {
	m := &machine{Lab: lab.New(t), t: t}
	up := []string{"--nodes", "0"}
	if server := os.Getenv("EKSACT_CLICKHOUSE"); server != "" {
		up = append(up, "--clickhouse", fmt.Sprintf("%s?table=eksact_test_%d", server, time.Now().UnixNano()))
	}
	m.Up(t, up...)
	m.host = m.Host(t).AWS(t, "2")
	m.clients()
	user1 := m.user1()

	began := time.Now()
	m.streams() // the workshop's cluster has all on
	m.setLogging(false)
	m.silent()
	m.alone()
	m.setLogging(true)
	m.since = time.Now().Truncate(time.Second).UnixMilli() // the authenticator tells whole seconds
	m.toldWithinASecond(user1)
	m.asked()
	still := m.keeps()
	m.killed()
	still()
	t.Logf("without up and down: %.1f s", time.Since(began).Seconds())
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) clients() {
	vars := map[string]string{}
	m.must(json.Unmarshal([]byte(m.Eksact(m.t, "env", "-o", "json")), &vars))
	m.logs = cloudwatchlogs.NewFromConfig(aws.Config{
		Region: vars["AWS_REGION"], BaseEndpoint: aws.String(lab.Plain(vars["AWS_ENDPOINT_URL"])), HTTPClient: client.New(nil),
		Credentials: credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], ""),
	})
	config, err := clientcmd.BuildConfigFromFlags("", vars["KUBECONFIG"])
	m.must(err)
	config.ExecProvider, config.QPS = nil, -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return tokens{token.Credentials{AccessKeyID: vars["AWS_ACCESS_KEY_ID"], SecretAccessKey: vars["AWS_SECRET_ACCESS_KEY"]}, next}
	})
	m.kube, err = kubernetes.NewForConfig(config)
	m.must(err)
}

// tokens makes a token for each request.
type tokens struct {
	keys token.Credentials
	next http.RoundTripper
}

func (t tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := token.New(t.keys, "https://sts.us-west-2.amazonaws.com", "us-west-2", "cluster", time.Now())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+text.Value)
	return t.next.RoundTrip(r)
}

// user1 is the workshop's: a role, mapped in aws-auth, in a terminal of its own.
func (m *machine) user1() lab.Terminal {
	m.t.Helper()
	const role = "arn:aws:iam::111122223333:role/eks-user1"
	m.host.Must(m.t, `aws iam create-role --role-name eks-user1 --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}'`)
	m.host.Must(m.t, `kubectl patch configmap aws-auth -n kube-system -p '{"data":{"mapRoles":"- rolearn: `+role+`\n  username: user1\n  groups: [user1:admins]\n"}}' ||
		kubectl create configmap aws-auth -n kube-system --from-literal=mapRoles='[{"rolearn":"`+role+`","username":"user1","groups":["user1:admins"]}]'`)
	m.host.Must(m.t, "kubectl create secret generic db-login --from-literal=password=password")
	x := m.Shell().AWS(m.t, "2").After("export KUBECONFIG=~/user1")
	x.Must(m.t, "aws eks update-kubeconfig --name cluster --role-arn "+role)
	return x
}

func (m *machine) setLogging(on bool, types ...string) {
	m.t.Helper()
	if len(types) == 0 {
		types = []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
	}
	m.host.Must(m.t, fmt.Sprintf(`aws eks update-cluster-config --name cluster --logging '{"clusterLogging":[{"types":["%s"],"enabled":%t}]}' >/dev/null &&
		until aws eks describe-cluster --name cluster --query cluster.status --output text | grep ACTIVE; do sleep 0.2; done`, strings.Join(types, `","`), on))
}

// alone: one type that is switched on is exported, the others are not.
func (m *machine) alone() {
	m.t.Helper()
	prefixes := map[string]string{"audit": "kube-apiserver-audit", "authenticator": "authenticator", "scheduler": "kube-scheduler", "controllerManager": "kube-controller-manager"}
	counts := func() map[string]int {
		all := map[string]int{}
		for name, prefix := range prefixes {
			all[name] = len(m.find(m.stream(prefix), ""))
		}
		return all
	}
	for _, name := range []string{"authenticator", "audit"} {
		before := counts()
		m.setLogging(true, name)
		m.host.Must(m.t, "kubectl get namespaces") // a login and a call
		for end := time.Now().Add(lab.Busy * 5 * time.Second); counts()[name] == before[name]; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				m.t.Fatalf("%s alone is on, and has nothing", name)
			}
		}
		m.setLogging(false, name)
		for other, n := range counts() {
			if other != name && n != before[other] {
				m.t.Errorf("with %s alone on, %s has %d events more", name, other, n-before[other])
			}
		}
	}
}

// stream is the name of a type's stream.
func (m *machine) stream(prefix string) string {
	m.t.Helper()
	out, err := m.logs.DescribeLogStreams(m.t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(group), LogStreamNamePrefix: aws.String(prefix + "-")})
	m.must(err)
	form := regexp.MustCompile("^" + prefix + "-[0-9a-f]{32}$")
	for _, s := range out.LogStreams {
		if form.MatchString(*s.LogStreamName) {
			return *s.LogStreamName
		}
	}
	m.t.Fatalf("no stream %s-…: %d streams", prefix, len(out.LogStreams))
	return ""
}

// find are a stream's messages that match.
func (m *machine) find(stream, pattern string) (messages []string) {
	m.t.Helper()
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(m.logs, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(group), LogStreamNames: []string{stream}, FilterPattern: aws.String(pattern), StartTime: aws.Int64(m.since),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(m.t.Context())
		m.must(err)
		for _, e := range page.Events {
			messages = append(messages, *e.Message)
		}
	}
	return messages
}

// soon waits for one message, whose goal is a second from now.
func (m *machine) soon(what, stream, pattern string) string {
	m.t.Helper()
	began := time.Now()
	for {
		found := m.find(stream, pattern)
		took := time.Since(began)
		if len(found) > 0 {
			lab.Figure(m.t, what+" is there", took, time.Second)
			return found[0]
		}
		if took > lab.Busy*10*time.Second {
			m.t.Fatalf("%s is not in %s after %v", what, stream, took)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// toldWithinASecond: what the admin did and what user1 was refused.
func (m *machine) toldWithinASecond(user1 lab.Terminal) {
	audit, authenticator := m.stream("kube-apiserver-audit"), m.stream("authenticator")
	_, err := m.kube.CoreV1().ConfigMaps("default").Create(m.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "told"}}, metav1.CreateOptions{})
	m.must(err)
	m.soon("the admin's call", audit, `{ $.user.username = "kubernetes-admin" && $.verb = "create" && $.objectRef.name = "told" && $.responseStatus.code = 201 }`)
	user1.Refused(m.t, "kubectl get secret db-login -o yaml --namespace=default", `User "user1" cannot get resource "secrets"`)
	event := m.soon("the refused secret read", audit, `{ $.user.username = "user1" && $.objectRef.resource = "secrets" && $.responseStatus.code = 403 }`)
	lab.Has(m.t, "the audit event", event, `"level":"Metadata"`, `"stage":"ResponseComplete"`, `"authorization.k8s.io/decision":"forbid"`, `"arn:aws:sts::111122223333:assumed-role/eks-user1/`, `"name":"db-login"`)
	granted := m.soon("the login", authenticator, `"access granted" "username=user1"`)
	if want := regexp.MustCompile(`^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=info msg="access granted" arn="arn:aws:iam::111122223333:role/eks-user1" client="127.0.0.1:\d+" groups="\[user1:admins\]" method=POST path=/authenticate stsendpoint=\S+ uid="aws-iam-authenticator:111122223333:AROA\S+" username=user1$`); !want.MatchString(granted) {
		m.t.Errorf("access granted: %s", granted)
	}
	m.host.Must(m.t, `aws iam create-role --role-name unknown --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}'`)
	user1.Refused(m.t, `export KUBECONFIG=~/other; aws eks update-kubeconfig --name cluster --role-arn arn:aws:iam::111122223333:role/unknown && kubectl get pods`, "You must be logged in to the server")
	denied := m.soon("the refused login", authenticator, `"access denied" "role/unknown"`)
	lab.Has(m.t, "access denied", denied, `level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/unknown"`, `error="ARN is not mapped: arn:aws:iam::111122223333:role/unknown"`)
}

// asked: the workshop's questions, by eksact itself; and what comes is followed.
func (m *machine) asked() {
	out := m.Eksact(m.t, "logs", "query", "--group", group, "--csv", `fields objectRef.name, responseStatus.code | filter user.username = "user1" and objectRef.resource = "secrets"`)
	lab.Has(m.t, "eksact logs query", out, "objectRef.name,responseStatus.code\n", "db-login,403\n")
	out = m.Eksact(m.t, "logs", "query", "--file", filepath.Join(m.State, "clusters/cluster/logs/audit.log"), `filter user.username = "kubernetes-admin" and objectRef.name = "told" | stats count(*) as n by verb`)
	lab.Has(m.t, "eksact logs query --file", out, "create  1\n")
	follow := m.Command("logs", "tail", group, "--follow", "--stream", "kube-apiserver-audit-", "--filter", `{ $.objectRef.name = "followed" && $.verb = "create" }`)
	lines, err := follow.StdoutPipe()
	m.must(err)
	m.must(follow.Start())
	defer func() { _ = follow.Process.Kill(); _ = follow.Wait() }()
	seen := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(lines).ReadString('\n')
		seen <- line
	}()
	// What came before it began to follow it does not show.
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for end := time.After(lab.Busy * 10 * time.Second); ; {
		select {
		case line := <-seen:
			lab.Has(m.t, "eksact logs tail", line, "kube-apiserver-audit-", `"name":"followed"`)
			return
		case <-again.C:
			_, err := m.kube.CoreV1().ConfigMaps("default").Create(m.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "followed"}}, metav1.CreateOptions{})
			if !apierrors.IsAlreadyExists(err) { // which is an event too
				m.must(err)
			}
		case <-end:
			m.t.Error("eksact logs tail --follow does not show what came")
			return
		}
	}
}

// streams: the other three tell something too.
func (m *machine) streams() {
	for _, prefix := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		m.stream(prefix)
	}
	m.kill("kube-scheduler@cluster")
	for end := time.Now().Add(lab.Busy * 20 * time.Second); len(m.find(m.stream("kube-scheduler"), `"Starting Kubernetes Scheduler"`)) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatal("a scheduler that starts is not in its log")
		}
	}
}

// process is a program that runs; without a name if it does not.
func (m *machine) process(name string) control.Process {
	m.t.Helper()
	var s control.Status
	m.must(json.Unmarshal([]byte(m.Eksact(m.t, "status", "-o", "json")), &s))
	for _, p := range s.Processes {
		if p.Name == name && p.Pid != 0 {
			return p
		}
	}
	return control.Process{}
}

// kill kills a program, and returns it as it was.
func (m *machine) kill(name string) control.Process {
	m.t.Helper()
	p := m.process(name)
	if p.Pid == 0 {
		m.t.Fatalf("%s does not run", name)
	}
	m.must(syscall.Kill(p.Pid, syscall.SIGKILL))
	return p
}

// killed: while people work, the API server and the daemon are killed. Each event that
// the API server wrote is in the stream, once; so is each call that was answered.
func (m *machine) killed() {
	ctx, stop := context.WithCancel(m.t.Context())
	var mu sync.Mutex
	var made []string
	var working sync.WaitGroup
	for w := range 4 {
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("w%d-%d", w, n)}, Data: map[string]string{"d": strings.Repeat("x", rand.IntN(100_000))}}
				if _, err := m.kube.CoreV1().ConfigMaps("default").Create(ctx, cm, metav1.CreateOptions{}); err == nil {
					mu.Lock()
					made = append(made, cm.Name)
					mu.Unlock()
				} else if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
					m.t.Errorf("%s: %v", cm.Name, err)
				}
			}
		})
	}
	for _, name := range []string{"eksact", "kube-apiserver@cluster", "eksact", "kube-apiserver@cluster", "eksact"} {
		time.Sleep(time.Duration(500+rand.IntN(500)) * time.Millisecond)
		p := m.kill(name)
		for end := time.Now().Add(lab.Busy * 20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if now := m.process(name); now.Pid != 0 && now.Pid != p.Pid {
				break
			}
			if time.Now().After(end) {
				m.t.Fatalf("%s does not run again", name)
			}
		}
	}
	time.Sleep(2 * time.Second)
	stop()
	working.Wait()

	told, created := m.told(made)
	m.sameAsWritten(told)
	for _, name := range made {
		if created[name] != 1 {
			m.t.Errorf("ConfigMap %s was made, and has %d events", name, created[name])
		}
	}
	m.t.Logf("%d ConfigMaps made while five programs were killed; %d audit events, all once", len(made), len(told))
	if len(made) < 50 {
		m.t.Errorf("only %d ConfigMaps were made", len(made))
	}
}

// told are the audit log's events, and how many of them made each ConfigMap: once there
// are some of all that were made, or no others come.
func (m *machine) told(made []string) (told []string, created map[string]int) {
	m.t.Helper()
	audit := m.stream("kube-apiserver-audit")
	for end := time.Now().Add(lab.Busy * 10 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		told = m.find(audit, "")
		created = creations(told)
		if time.Now().After(end) || !slices.ContainsFunc(made, func(name string) bool { return created[name] == 0 }) {
			return told, created
		}
	}
}

// creations counts the events of ConfigMaps that were made.
func creations(told []string) map[string]int {
	created := map[string]int{}
	for _, message := range told {
		var e struct {
			Verb, Stage    string
			ObjectRef      struct{ Resource, Name string }
			ResponseStatus struct{ Code int }
		}
		if json.Unmarshal([]byte(message), &e) == nil && e.Verb == "create" && e.ObjectRef.Resource == "configmaps" && e.Stage == "ResponseComplete" && e.ResponseStatus.Code == 201 {
			created[e.ObjectRef.Name]++
		}
	}
	return created
}

// sameAsWritten compares the stream with the API server's own files, whose last lines
// it has.
func (m *machine) sameAsWritten(told []string) {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.State, "clusters/cluster/logs/audit-*.log"))
	m.must(err)
	var written []string
	for _, path := range append(files, filepath.Join(m.State, "clusters/cluster/logs/audit.log")) {
		data, err := os.ReadFile(path)
		m.must(err)
		written = append(written, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")...)
	}
	lines := map[string]int{}
	for _, message := range told {
		lines[message]++
	}
	for message, n := range lines {
		if n > 1 {
			m.t.Errorf("%d times in the stream: %.300s", n, message)
		}
	}
	first := slices.IndexFunc(written, func(line string) bool { return lines[line] > 0 })
	if first < 0 {
		m.t.Fatal("no line of the audit log is in the stream")
	}
	missing := 0
	// What was written since the stream was read is not there yet.
	last := len(written) - 1
	for last > first && lines[written[last]] == 0 {
		last--
	}
	for _, line := range written[first : last+1] {
		if lines[line] == 0 {
			if missing++; missing < 5 {
				m.t.Errorf("not in the stream: %.300s", line)
			}
		}
	}
	if missing > 0 {
		m.t.Errorf("%d lines are not in the stream", missing)
	}
}

// silent: nothing comes after all was switched off.
func (m *machine) silent() {
	audit := m.stream("kube-apiserver-audit")
	before := len(m.find(audit, ""))
	_, err := m.kube.CoreV1().ConfigMaps("default").Create(m.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "untold"}}, metav1.CreateOptions{})
	m.must(err)
	time.Sleep(1500 * time.Millisecond)
	if now := m.find(audit, ""); len(now) != before {
		m.t.Errorf("%d events, %d before logging was switched off", len(now), before)
	}
}
