package trail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

var (
	alice = &api.Caller{Type: api.User, Name: "alice", UserID: "AIDA", ARN: "arn:aws:iam::111122223333:user/alice", SourceIP: netip.MustParseAddr("198.18.0.1"), RequestID: "r-1"}
	node  = &api.Caller{Type: api.AssumedRole, Name: "node", UserID: "AROA:i-0", PrincipalID: "AROA", PrincipalARN: "arn:aws:iam::111122223333:role/node",
		ARN: "arn:aws:sts::111122223333:assumed-role/node/i-0", Session: &api.Session{Name: "i-0"}, AuthorizationID: "abc123", RequestID: "r-2"}
)

// recorded is a trail with some calls.
func recorded(t *testing.T) (stateDir string, trail *cloudtrail.Trail) {
	t.Helper()
	stateDir = t.TempDir()
	trail, err := cloudtrail.Open(filepath.Join(stateDir, "trail"), cloudtrail.Options{FlushEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trail.Close() })
	now := time.Now()
	for _, e := range []cloudtrail.Event{
		{Time: now.Add(-48 * time.Hour), Caller: alice, Service: "iam", Name: "GetUser", EventID: "old"},
		{Time: now.Add(-time.Minute), Caller: alice, Service: "iam", Name: "CreateRole", EventID: "made", Input: &iam.CreateRoleInput{RoleName: aws.String("r")}},
		{Time: now.Add(-time.Minute), Caller: node, Service: "eks", Name: "DescribeCluster", EventID: "denied", ErrorCode: "AccessDeniedException"},
	} {
		trail.Record(e)
	}
	if err := trail.Flush(); err != nil {
		t.Fatal(err)
	}
	return stateDir, trail
}

func run(ctx context.Context, stateDir string, out *buffer, args ...string) error {
	g := &global.Options{StateDir: stateDir}
	if len(args) > 0 && args[0] == "json" {
		g.Output, args = "json", args[1:]
	}
	cmd := New(g)
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(ctx)
}

func TestFilters(t *testing.T) {
	stateDir, _ := recorded(t)
	for args, want := range map[string]string{
		"json":                               "old made denied",
		"json -n 1":                          "denied",
		"json -n 2":                          "made denied",
		"json --user alice":                  "old made",
		"json --user node":                   "denied",
		"json --user i-0":                    "denied",
		"json --errors":                      "denied",
		"json --service iam":                 "old made",
		"json --service eks.amazonaws.com":   "denied",
		"json --service IAM.amazonaws.com":   "old made",
		"json --since 1h":                    "made denied",
		"json --event create*":               "made",
		"json --event createrole --user bob": "",
		"json --id r-1":                      "old made",
		"json --id denied":                   "denied",
		"json --id abc123":                   "denied",
		"json --since 2020-01-01 -n 0":       "old made denied",
	} {
		out := &buffer{}
		err := run(t.Context(), stateDir, out, strings.Fields(args)...)
		var ids []string
		for line := range strings.Lines(out.String()) {
			var e struct{ EventID string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, e.EventID)
		}
		if got := strings.Join(ids, " "); got != want || (want == "") != (err != nil) {
			t.Errorf("%s: got %q, %v, want %q", args, got, err, want)
		}
	}
	for args, want := range map[string]string{
		"--since yesterday": `--since "yesterday" is neither a duration nor a time`,
		"--since 9999999h":  "--since 9999999h is longer than 292 years",
		"-n -1":             "-n -1 is less than no calls",
		"extra":             "unknown command",
	} {
		if err := run(t.Context(), stateDir, &buffer{}, strings.Fields(args)...); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	if err := run(t.Context(), t.TempDir(), &buffer{}); len(hint.Lines(err)) == 0 {
		t.Errorf("without a trail: %v, with no hint", err)
	}
}

func TestTable(t *testing.T) {
	stateDir, _ := recorded(t)
	out := &buffer{}
	if err := run(t.Context(), stateDir, out, "--since", "1h"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"TIME", "alice iam:CreateRole r 198.18.0.1 ok", "node/i-0 eks:DescribeCluster - AccessDeniedException abc123"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.Contains(got, want) {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
}

func TestFollow(t *testing.T) {
	stateDir, trail := recorded(t)
	ctx, stop := context.WithCancel(t.Context())
	out, done := &buffer{}, make(chan error)
	go func() { done <- run(ctx, stateDir, out, "-f", "--user", "alice", "-n", "1") }()
	waitFor(t, out, "CreateRole")
	for range 3 {
		trail.Record(cloudtrail.Event{Time: time.Now(), Caller: alice, Service: "iam", Name: "ListUsers"})
		trail.Record(cloudtrail.Event{Time: time.Now(), Caller: node, Service: "iam", Name: "ListRoles"})
	}
	waitFor(t, out, "ListUsers")
	trail.Record(cloudtrail.Event{Time: time.Now(), Caller: alice, Service: "iam", Name: "ListGroups"})
	waitFor(t, out, "ListGroups")
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if text := out.String(); strings.Count(text, "ListUsers") != 3 || strings.Contains(text, "ListRoles") || strings.Contains(text, "GetUser") {
		t.Errorf("it shows\n%s", text)
	}
}

func waitFor(t *testing.T, out *buffer, text string) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(out.String(), text) {
			return
		}
	}
	t.Fatalf("no %s in\n%s", text, out.String())
}

// buffer is a bytes.Buffer that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Keys may hold anything: what a terminal would obey is not printed as it is.
func TestCallsOfObjects(t *testing.T) {
	for key, want := range map[string]string{"a/b": "s3:PutObject box/a/b", "": "s3:PutObject box", "a\x1b[2J\nb": "s3:PutObject box/a�[2J�b"} {
		r := &cloudtrail.Record{EventSource: "s3.amazonaws.com", EventName: "PutObject", RequestParameters: map[string]any{"bucketName": "box"}}
		if key != "" {
			r.RequestParameters["key"] = key
		}
		if got := call(r); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
