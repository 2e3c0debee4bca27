package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/detect"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/hint"
)

// logged is a file of audit events: who, what, how it ended, from where.
func logged(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i, e := range [][4]string{
		{"jane", `"verb":"get","objectRef":{"resource":"secrets","namespace":"default","name":"s"}`, "403", "203.0.113.9"},
		{"jane", `"verb":"get","objectRef":{"resource":"secrets","namespace":"default","name":"s"}`, "403", "203.0.113.9"},
		{"kubernetes-admin", `"verb":"list","objectRef":{"resource":"pods","namespace":"default"}`, "200", "198.18.0.9"},
		{"system:node:n", `"verb":"get","objectRef":{"resource":"secrets","namespace":"default","name":"s"}`, "200", "10.0.0.9"},
		{"eve", `"verb":"create","objectRef":{"resource":"pods","namespace":"default","name":"p"},"requestObject":{"spec":{"containers":[{"securityContext":{"privileged":true}}]}}`, "201", "198.18.0.9"},
	} {
		fmt.Fprintf(&b, `{"kind":"Event","auditID":"a%d","stage":"ResponseComplete","requestURI":"/x","user":{"username":%q},%s,"sourceIPs":[%q],"responseStatus":{"code":%s},"requestReceivedTimestamp":"2026-11-23T12:00:0%d.000000Z","stageTimestamp":"2026-11-23T12:00:0%d.500000Z"}`+"\n", i, e[0], e[1], e[3], e[2], i, i)
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, output string, args ...string) (string, error) {
	t.Helper()
	g := &global.Options{Output: output}
	cmd := New(g)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestFindingsInFiles(t *testing.T) {
	path := logged(t)
	text, err := run(t, "", "findings", "--file", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"HIGH: A privileged pod was made  [privileged-pod, T1611 Escape to Host]\n  eve create default: pods/p from 198.18.0.9 (201), 1 time",
		"LOW: Somebody tried to read secrets and was refused", "jane get default: secrets/s from 203.0.113.9 (403), 2 times", "do: Ask who it was",
		`    | filter user.username = "jane"`, "LOW: The cluster's creator is at work", "3 findings of 25 detections in " + path + ".", "Not looked for: unexpected-source (--allowed says",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Index(text, "HIGH") > strings.Index(text, "LOW") {
		t.Error("the worst is not first")
	}

	text, err = run(t, "json", "findings", "--file", path, "--allowed", "198.18.0.0/16", "--severity", "medium")
	var v view
	if err != nil || json.Unmarshal([]byte(text), &v) != nil || len(v.Findings) != 2 || v.Findings[0].Detection != "privileged-pod" || v.Findings[1].Detection != "unexpected-source" || v.Findings[1].Count != 2 || v.Findings[1].Actor != "jane" {
		t.Errorf("%s, %v", text, err)
	}
	text, err = run(t, "ocsf", "findings", "--file", path)
	if err != nil || strings.Count(text, "\n") != 3 || !strings.Contains(text, `"class_uid":2004`) {
		t.Errorf("%s, %v", text, err)
	}
	if text, err = run(t, "json", "findings", "--file", path, "--since", "2026-11-23T12:00:03Z"); err != nil || strings.Contains(text, "jane") || !strings.Contains(text, "eve") {
		t.Errorf("%s, %v", text, err)
	}
	if text, err = run(t, "", "findings", "--file", path, "--detection", "exec"); err != nil || !strings.Contains(text, "0 findings of 1 detection in ") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	path, other := logged(t), filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("{\"a\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"this is no audit event":     {"--file", other},
		"no such file":               {"--file", path + "x"},
		`no detection "nothing"`:     {"--file", path, "--detection", "nothing"},
		`--severity "bad"`:           {"--file", path, "--severity", "bad"},
		`--allowed "here"`:           {"--file", path, "--allowed", "here"},
		"neither a duration":         {"--file", path, "--since", "yesterday"},
		"ends before it begins":      {"--file", path, "--since", "1h", "--until", "2h"},
		"the account can't be asked": {},
	} {
		_, err := run(t, "", append([]string{"findings"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) || len(hint.Lines(err)) == 0 {
			t.Errorf("%v: %v, %v; want %s", args, err, hint.Lines(err), want)
		}
	}
}

func TestDetectionsAreShown(t *testing.T) {
	text, err := run(t, "", "detections")
	if err != nil || strings.Count(text, "\n") != 28 || !strings.Contains(text, "secrets-refused") {
		t.Errorf("%s, %v", text, err)
	}
	text, err = run(t, "json", "detections")
	var list []detection
	if err != nil || json.Unmarshal([]byte(text), &list) != nil || len(list) != 27 {
		t.Fatalf("%s, %v", text, err)
	}
	for _, d := range list {
		needs := map[string]string{"account-outside": "--inside", "unexpected-source": "--allowed"}[d.ID]
		if (d.Query == "") != (needs != "") || strings.Join(d.Needs, "") != needs {
			t.Errorf("%s has the query %q and needs %v", d.ID, d.Query, d.Needs)
		}
	}
	text, err = run(t, "json", "detections", "--inside", "10.0.0.0/16", "--allowed", "203.0.113.0/24")
	if list = nil; err != nil || json.Unmarshal([]byte(text), &list) != nil {
		t.Fatalf("%s, %v", text, err)
	}
	for _, d := range list {
		if _, err := insights.Parse(d.Query); err != nil || d.Query == "" || d.Needs != nil || strings.ContainsAny(d.Query, "{}") {
			t.Errorf("%s: %q, %v", d.ID, d.Query, err)
		}
	}
}

// TestFilesOfOthers: files that other programs wrote, or that gzip compressed, have the same
// findings; a last line that is cut off is told of.
func TestFilesOfOthers(t *testing.T) {
	data, err := os.ReadFile(logged(t))
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for i := range 250 { // so that what is behind them is no field
		labels = append(labels, fmt.Sprintf(`"a%d":"b"`, i))
	}
	crowded := strings.Replace(string(data), `"requestObject":{`, `"requestObject":{"metadata":{"labels":{`+strings.Join(labels, ",")+`}},`, 1)
	var spaced strings.Builder
	for line := range strings.Lines(crowded) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		sorted, _ := json.MarshalIndent(e, "", " ")
		spaced.WriteString(strings.ReplaceAll(string(sorted), "\n", "") + "\n")
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(data)
	_ = z.Close()
	for name, content := range map[string]string{"sorted": spaced.String(), "zipped": zipped.String(), "cut": string(data) + string(data[:100])} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, warned bytes.Buffer
		cmd := New(&global.Options{})
		cmd.SetOut(&out)
		cmd.SetErr(&warned)
		cmd.SetArgs([]string{"findings", "--file", path})
		if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "3 findings of 25") || !strings.Contains(out.String(), "eve create default: pods/p") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
		want := ""
		if name == "cut" {
			want = path + ":6: the last line is cut off and left out\n"
		}
		if warned.String() != want {
			t.Errorf("%s: warned of %q", name, warned.String())
		}
	}
}

// latest gives the latest events until a time, as many as a query may.
type latest struct {
	times []time.Time
	asked int
}

func (l *latest) ask(_ context.Context, _ string, _, to time.Time) (rows []map[string]string, err error) {
	l.asked++
	for i := len(l.times) - 1; i >= 0 && len(rows) < detect.MostRows; i-- {
		if !l.times[i].After(to) {
			rows = append(rows, map[string]string{"@timestamp": l.times[i].Format("2006-01-02 15:04:05.000"), "@message": fmt.Sprintf(`{"auditID":"a%d","verb":"create","requestObject":{"spec":{"hostPID":true}}}`, i)})
		}
	}
	return rows, nil
}

// TestMoreEventsThanAQueryGives: a rule decides on all of them.
func TestMoreEventsThanAQueryGives(t *testing.T) {
	d, _ := detect.Find("host-namespaces")
	l := &latest{}
	for i := range 2*detect.MostRows + 100 {
		l.times = append(l.times, time.UnixMilli(1795435200000+int64(i)*10).UTC())
	}
	r, err := find(t.Context(), l, []detect.Detection{d}, detect.Params{}, time.Unix(0, 0), time.Now().AddDate(10, 0, 0))
	if err != nil || len(r.findings) != 1 || r.findings[0].Count != len(l.times) || l.asked != 3 {
		t.Fatalf("%v, asked %d times: %+v", err, l.asked, r)
	}
	for i := range l.times {
		l.times[i] = l.times[0]
	}
	if _, err := find(t.Context(), l, []detect.Detection{d}, detect.Params{}, time.Unix(0, 0), time.Now().AddDate(10, 0, 0)); err == nil {
		t.Error("more in a second than a query gives are not told of")
	}
}

// cloud is CloudWatch Logs, which needs a while and gives pages.
type cloud struct {
	looks int
	fails error
	ends  types.QueryStatus
}

func (c *cloud) StartQuery(_ context.Context, in *cloudwatchlogs.StartQueryInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StartQueryOutput, error) {
	if c.fails != nil {
		return nil, c.fails
	}
	if *in.LogGroupName != "/aws/eks/c/cluster" || *in.StartTime != 1000 || *in.EndTime != 2000 || *in.QueryString != "fields a" {
		return nil, fmt.Errorf("asked for %+v", in)
	}
	return &cloudwatchlogs.StartQueryOutput{QueryId: aws.String("q")}, nil
}

func (c *cloud) GetQueryResults(_ context.Context, in *cloudwatchlogs.GetQueryResultsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetQueryResultsOutput, error) {
	if c.looks++; c.looks < 3 {
		return &cloudwatchlogs.GetQueryResultsOutput{Status: types.QueryStatusRunning}, nil
	}
	row := func(v string) []types.ResultField {
		return []types.ResultField{{Field: aws.String("a"), Value: aws.String(v)}}
	}
	if in.NextToken != nil {
		return &cloudwatchlogs.GetQueryResultsOutput{Status: c.ends, Results: [][]types.ResultField{row("2")}}, nil
	}
	return &cloudwatchlogs.GetQueryResultsOutput{Status: c.ends, Results: [][]types.ResultField{row("1")}, NextToken: aws.String("t")}, nil
}

func TestAskingTheAccount(t *testing.T) {
	from, to := time.Unix(1000, 0), time.Unix(2000, 0)
	g := &group{&cloud{ends: types.QueryStatusComplete}, "/aws/eks/c/cluster", time.Millisecond}
	rows, err := g.ask(t.Context(), "fields a", from, to)
	if err != nil || len(rows) != 2 || rows[0]["a"] != "1" || rows[1]["a"] != "2" {
		t.Errorf("%v, %v", rows, err)
	}
	g.logs = &cloud{ends: types.QueryStatusTimeout}
	if _, err := g.ask(t.Context(), "fields a", from, to); err == nil || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("a query that timed out: %v", err)
	}
	g.logs = &cloud{fails: &types.ResourceNotFoundException{}}
	if _, err := g.ask(t.Context(), "fields a", from, to); err == nil || len(hint.Lines(err)) == 0 {
		t.Errorf("without a group: %v", err)
	}
	g.logs = &cloud{fails: errors.New("no")}
	if _, err := g.ask(t.Context(), "fields a", from, to); err == nil || err.Error() != "no" {
		t.Errorf("a refusal: %v", err)
	}
}
