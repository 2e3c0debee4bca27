package lower_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
)

var update = flag.Bool("update", false, "write testdata anew")

// written are queries whose statements are in testdata, to be read.
var written = []string{
	`fields @message | filter user.username = "kubernetes-admin"`,
	`fields @timestamp, verb, sourceIPs[0] | filter user.username = "user1" | sort @timestamp asc | limit 20`,
	`stats count(*) as n by user.username, verb`,
	`filter @message like /secrets/ | stats count(*) as n`,
	`fields toMillis(stageTimestamp) - toMillis(requestReceivedTimestamp) as took | stats pct(took, 50), pct(took, 99), count(*) as n by bin(5m)`,
	`filter objectRef.resource = "secrets" and verb in ["get", "list"] and responseStatus.code >= 400 | stats count(*) as n by user.username`,
	`parse @message '"userAgent":"*"' as agent | stats count(*) as n by agent`,
	`filter responseStatus.code = 403 | stats count(*) as n, count_distinct(sourceIPs.0) as from by user.username, bin(5m) | filter n > 20`,
	`filter user.username not like /^(system|eks):/ and ispresent(impersonatedUser.username)`,
	`filter responseStatus.code != 200 and not (verb = "watch" or verb = "list")`,
	`filter responseStatus.code in [401, "403", "Forbidden"] | fields @ingestionTime`,
	"filter annotations.`authorization.k8s.io/decision` = \"allow\" and user.username = 'it\\'s'",
	`filter isIpInSubnet(sourceIPs.0, "10.0.0.0/8") or verb = "get" | limit 5`,
	`filter @message like /(?i)"name":"système/ and @logStream like "kube-apiserver-audit"`,
	`filter code < "b" and code > 3 and done and @timestamp > 1764000000000`,
	`filter toupper(verb) = "GET" | stats max(took), sum(took), avg(took) by bin(1w), @log`,
	`stats earliest(verb), pct(took, 90) by user.username`,
	`stats count(*)`,
}

type seeing struct{ see func(*scan.Request) }

func (s seeing) Scan(_ context.Context, r *scan.Request, _ func(int, *scan.Batch) bool) error {
	s.see(r)
	return nil
}

// TestStatements holds statements against testdata/statements.sql (-update).
func TestStatements(t *testing.T) {
	var b strings.Builder
	for _, text := range written {
		fmt.Fprintf(&b, "-- %s\n", text)
		run(t, text, seeing{func(r *scan.Request) {
			st := lower.Lower(r, lower.Table{Name: "events", Log: log})
			fmt.Fprintf(&b, "%s;\n", st.SQL)
			for _, field := range st.Remaining() {
				fmt.Fprintf(&b, "-- and here: a condition on %s\n", field)
			}
		}})
		b.WriteString("\n")
	}
	golden(t, "testdata/statements.sql", b.String())
}

// TestSchemas are the tables that events are kept in, and how they are deleted there.
func TestSchemas(t *testing.T) {
	list := append(lower.Schema("events"), lower.ClusterSchema("logs.events", "audit")...)
	log, stream := "111122223333:it's", "s"
	list = append(list, lower.Delete(lower.Table{Name: "events", Log: log}, "", nil), lower.Delete(lower.Table{Name: "logs.events", Log: log}, "audit", &stream))
	golden(t, "testdata/schema.sql", strings.Join(list, ";\n\n")+";\n")
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is otherwise now (go test -update writes it anew):\n%s", file, got)
	}
}
