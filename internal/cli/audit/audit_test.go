package audit

import (
	"bytes"
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
		`    | filter user.username = "jane"`, "LOW: The cluster's creator is at work", "3 findings of 25 detections.", "Not looked for: unexpected-source (--allowed says",
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
	if text, err = run(t, "", "findings", "--file", path, "--detection", "exec"); err != nil || !strings.Contains(text, "0 findings of 1 detection.") {
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
	if err != nil || json.Unmarshal([]byte(text), &list) != nil || len(list) != 27 || list[0].Query == "" {
		t.Errorf("%s, %v", text, err)
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
