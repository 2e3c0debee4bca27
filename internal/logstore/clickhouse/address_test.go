package clickhouse

import (
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
)

func TestAddresses(t *testing.T) {
	for text, want := range map[string]address{
		"clickhouse://h": {server: "h:9000", table: "events"},
		"clickhouse://u:p%40@h:1234/logs?table=t":             {server: "h:1234", database: "logs", user: "u", password: "p@", table: "t"},
		"clickhouse://[::1]/?secure=true&cluster=c&table=d.t": {server: "[::1]:9440", table: "d.t", cluster: "c"},
	} {
		got, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if secure := got.tls != nil; secure != strings.Contains(text, "secure=true") {
			t.Errorf("%s: TLS: %v", text, secure)
		}
		if got.tls = nil; *got != want {
			t.Errorf("%s: %+v", text, *got)
		}
	}
	for text, want := range map[string]string{
		"http://u:secret@h":             "it begins with",
		"clickhouse:///logs":            "it begins with",
		"clickhouse://h?compress=1":     "compress=1 is not known",
		"clickhouse://u:secret@h:x/":    "invalid port",
		"clickhouse://h?table=":         "table= is not known",
		"clickhouse://u:secret@h/%zz":   "invalid URL escape",
		"clickhouse://h?secure=perhaps": "secure=perhaps is not known",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestBlocksAreCopied sees that what was read of one block outlives the next.
func TestBlocksAreCopied(t *testing.T) {
	st := lower.Lower(&scan.Request{
		Fields: []string{"@timestamp", "@message", "a"}, Counted: true,
		Extracts: []scan.Extract{{Field: "@message", Glob: []string{"x", "y", ""}}},
	}, lower.Table{Name: "events", Log: "1:g"})
	out := newOutput(st)
	fill := func(text string) {
		for _, data := range out.data {
			data.Reset()
			switch data := data.(type) {
			case *proto.ColInt64:
				data.Append(7)
			case *proto.ColUInt64:
				data.Append(3)
			case *proto.ColUInt8:
				data.Append(1)
			case *proto.ColStr:
				data.Append(text)
			case *proto.ColArr[string]:
				data.Append([]string{text, text + "2"})
			}
		}
	}
	fill("first")
	b := st.Batch(out.block())
	fill("other")
	if b == nil || b.Rows != 1 || b.Counts[0] != 3 || b.Columns[0].Ints[0] != 7 {
		t.Fatalf("the batch is %+v", b)
	}
	for i, want := range []string{"7", "first", "first", "first", "first2"} {
		if got := b.Columns[i].At(0).Text; got != want {
			t.Errorf("column %d is %q, want %q", i, got, want)
		}
	}
}
