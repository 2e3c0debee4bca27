package logs

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/cli/global"
)

// command runs a verb with standard input and gives what it prints.
func command(stdin string, args ...string) (string, error) {
	g := &global.Options{}
	cmd := New(g)
	g.AddTo(cmd.PersistentFlags())
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	return out.String(), err
}

func TestClickHouseIsRefused(t *testing.T) {
	const nowhere = "clickhouse://127.0.0.1:1"
	for want, args := range map[string][]string{
		`"g" is no group in ClickHouse`:      {"query", "--clickhouse", nowhere, "--group", "g", "fields a"},
		`"1:g" is no group in ClickHouse`:    {"query", "--clickhouse", nowhere, "fields a", "--group", "1:g"},
		"files can't be asked in ClickHouse": {"query", "--clickhouse", nowhere, "--file", "-", "fields a"},
		"can't be chosen by prefix":          {"query", "--clickhouse", nowhere, "SOURCE logGroups(namePrefix: ['a']) | fields a"},
		"connect to ClickHouse at 127.0.0.1": {"query", "--clickhouse", nowhere, "--group", "111122223333:g", "fields a"},
		"read ClickHouse's address":          {"query", "--clickhouse", "http://h", "--group", "111122223333:g", "fields a"},
		`"" is no group in ClickHouse`:       {"load", "--clickhouse", nowhere, "--group", "", "--file", "-"},
		"make table events":                  {"load", "--clickhouse", nowhere, "--group", "111122223333:g", "--file", "-"},
		"required flag(s)":                   {"load", "--file", "-"},
	} {
		if _, err := command("a\n", args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}

// TestLoadedFilesAreAsked needs a server, which EKSACT_CLICKHOUSE names. Its group is its
// own; the table is the server's.
func TestLoadedFilesAreAsked(t *testing.T) {
	server := os.Getenv("EKSACT_CLICKHOUSE")
	if server == "" {
		t.Skip("EKSACT_CLICKHOUSE names no server (clickhouse://USER:PASSWORD@HOST:9000/DATABASE; test/clickhouse serves one): nothing was loaded")
	}
	now := time.Now()
	group := fmt.Sprintf("111122223333:eksact/test/%d", now.UnixNano())
	var lines strings.Builder
	for i := range 5 {
		fmt.Fprintf(&lines, `{"user":{"username":"user%d"},"stageTimestamp":%q,"code":%d}`+"\n", i%2, now.Add(-time.Duration(i)*time.Minute).UTC().Format(time.RFC3339Nano), 400+i)
	}
	if _, err := command(lines.String(), "load", "--clickhouse", server, "--group", group, "--file", "-"); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`stats count(*) as n, max(code) as most by user.username`: "user.username,n,most\nuser0,3,404\nuser1,2,403\n",
		`filter code >= 403 | fields code | sort code`:            "code\n403\n404\n",
		`fields @log | limit 1`:                                   "@log\n" + group + "\n",
	} {
		got, err := command("", "query", "--clickhouse", server, "--group", group, "--csv", query)
		if err != nil || strings.ReplaceAll(got, "\r", "") != want {
			t.Errorf("%s: %q, %v", query, got, err)
		}
	}
}
