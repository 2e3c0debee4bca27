package wire

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/smithy-go/middleware"
)

// unreachable are the SDK's fields that no table knows: event streams' only,
// which the SDK keeps out of its structs anyway.
var unreachable = []string{}

// TestEveryFieldIsReachable walks each operation's input and output struct
// beside its plan: no field of the SDK may be without a wire name.
func TestEveryFieldIsReachable(t *testing.T) {
	codec, err := New()
	if err != nil {
		t.Fatal(err)
	}
	clients := sdkClients(nil)
	for _, id := range codec.Services() {
		client := reflect.ValueOf(clients[id])
		if slices.Contains(noClient, id) {
			continue
		}
		if !client.IsValid() {
			t.Errorf("no client to check %s with: add it to sdkClients", id)
			continue
		}
		svc, fields := codec.Service(id), 0
		for _, name := range methods(clients[id]) {
			op := svc.Operation(name)
			if op == nil {
				t.Errorf("%s.%s is not in the table", id, name)
				continue
			}
			m := client.MethodByName(name).Type()
			for i, typ := range []reflect.Type{m.In(1).Elem(), m.Out(0).Elem()} {
				n, err := op.plan(typ, svc.protocols[0], i == 1)
				if err != nil {
					t.Errorf("%s.%s: %v", id, name, err)
					continue
				}
				fields += reachable(t, id, n, map[*node]bool{})
			}
		}
		t.Logf("%s: %d fields", id, fields)
	}
}

func reachable(t *testing.T, id string, n *node, seen map[*node]bool) (count int) {
	if n == nil || seen[n] {
		return 0
	}
	seen[n] = true
	switch n.kind {
	case structKind:
		have := map[int]bool{}
		for i := range n.fields {
			have[n.fields[i].index] = true
			count += reachable(t, id, n.fields[i].node, seen)
		}
		for i := range n.typ.NumField() {
			f := n.typ.Field(i)
			if !f.IsExported() || f.Type == reflect.TypeFor[middleware.Metadata]() {
				continue
			}
			count++
			if full := id + "." + n.typ.Name() + "." + f.Name; !have[i] && !slices.Contains(unreachable, full) {
				t.Errorf("%s has no wire name", full)
			}
		}
	case unionKind:
		if len(n.fields) != len(unionMembers(n.typ)) || len(n.fields) == 0 {
			t.Errorf("%s.%s: %d of %d members have a wire name", id, n.typ.Name(), len(n.fields), len(unionMembers(n.typ)))
		}
		for i := range n.fields {
			count += reachable(t, id, n.fields[i].node, seen)
		}
	case listKind, mapKind:
		count += reachable(t, id, n.elem, seen)
	}
	return count
}

// TestEveryPatternCompiles keeps the list of patterns Go can't check.
func TestEveryPatternCompiles(t *testing.T) {
	codec, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var unchecked []string
	total := 0
	for _, id := range codec.Services() {
		tb := &codec.Service(id).table
		tb.load()
		for name := range tb.lines {
			sh, err := tb.shape(name)
			if err != nil {
				t.Error(err)
				continue
			}
			if sh.pattern == "" {
				continue
			}
			total++
			if compilePattern(sh.pattern) == nil {
				unchecked = append(unchecked, id+"."+name+" "+sh.pattern)
			}
		}
	}
	slices.Sort(unchecked)
	t.Logf("%d patterns, unchecked:\n%s", total, strings.Join(unchecked, "\n"))
	for _, u := range unchecked {
		if !strings.Contains(u, "(?!") && !strings.Contains(u, "(?=") && !strings.Contains(u, "(?<") {
			t.Errorf("%s: not look-around, and yet not checked", u)
		}
	}
	if total < 100 {
		t.Errorf("only %d patterns found", total)
	}
}
