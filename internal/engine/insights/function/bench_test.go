package function

import (
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/insights/value"
)

const auditEvent = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"123e4567-e89b-12d3-a456-426614174000","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/secrets/db","verb":"get","user":{"username":"user1","uid":"u","groups":["dev","system:authenticated"]},"sourceIPs":["203.0.113.9"],"userAgent":"kubectl/v1.37.1 (darwin/arm64) kubernetes/f6b4d0a","objectRef":{"resource":"secrets","namespace":"default","name":"db","apiVersion":"v1"},"responseStatus":{"metadata":{},"status":"Failure","message":"secrets \"db\" is forbidden","reason":"Forbidden","code":403},"requestReceivedTimestamp":"2026-11-22T14:01:00.000000Z","stageTimestamp":"2026-11-22T14:01:00.004000Z","annotations":{"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":""}}`

func BenchmarkParseJSON(b *testing.B) {
	b.SetBytes(int64(len(auditEvent)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ParseJSON(auditEvent); !ok {
			b.Fatal("is no JSON")
		}
	}
}

// Functions of texts, as a query calls them for each row.
func BenchmarkCalls(b *testing.B) {
	for name, args := range map[string][]value.Value{
		"strcontains":  {value.OfText(auditEvent), value.OfText("secrets")},
		"isIpInSubnet": {value.OfText("203.0.113.9"), value.OfText("10.0.0.0/8")},
		"regexReplace": {value.OfText("/api/v1/namespaces/default/secrets/db"), value.OfText("[^/]+$"), value.OfText("*")},
		"parseDate":    {value.OfText("2026-11-22T14:01:00.000"), value.OfText("yyyy-MM-dd'T'HH:mm:ss.SSS")},
		"strftime":     {value.OfTime(at), value.OfText("%Y-%m-%d %H:%M")},
		"round":        {value.OfNumber(2.345), value.OfNumber(2)},
		"tolower":      {value.OfText(strings.Repeat("Abc", 10))},
	} {
		b.Run(name, func(b *testing.B) {
			f, _ := Lookup(name)
			literals := make([]*value.Value, len(args))
			for i := range args[1:] {
				literals[i+1] = &args[i+1]
			}
			eval, err := f.Bind(literals)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				eval(ctx, args)
			}
		})
	}
}
