package iam

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy"
)

// TestDenialsAreBounded: in number, and in bytes with the programs that they hold;
// a program that several hold counts once, until the last of them goes.
func TestDenialsAreBounded(t *testing.T) {
	var l denials
	shared := program(t, 1000)
	for n := range 3 * mostDenials {
		l.add(&Denial{ID: fmt.Sprint(n), size: 1000, applied: policy.Applied{Identity: shared}})
	}
	if len(l.list) != mostDenials || l.list[0].ID != fmt.Sprint(2*mostDenials) {
		t.Errorf("%d are kept, from %s on", len(l.list), l.list[0].ID)
	}
	if want := mostDenials*1000 + sizeOf(shared); l.bytes != want {
		t.Errorf("%d bytes are counted, want %d", l.bytes, want)
	}
	for n := range 100 {
		l.add(&Denial{ID: fmt.Sprint("large", n), size: 1000, applied: policy.Applied{Identity: program(t, 100_000), SCP: []*policy.Program{program(t, 10)}}})
		if l.bytes > mostDenialBytes {
			t.Fatalf("%d bytes are kept", l.bytes)
		}
	}
	if len(l.list) > 30 || l.programs[shared] != 0 || len(l.programs) != 2*len(l.list) {
		t.Errorf("%d are kept, with %d programs", len(l.list), len(l.programs))
	}
	l.add(&Denial{ID: "huge", size: 2 * mostDenialBytes})
	if len(l.list) != 1 || len(l.programs) != 0 || l.bytes != 2*mostDenialBytes {
		t.Errorf("beside one that is too large, %d are kept, %d bytes", len(l.list), l.bytes)
	}
}

func program(t *testing.T, size int) *policy.Program {
	t.Helper()
	text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:s3:::` + strings.Repeat("x", size) + `"}}`
	return policy.NewProgram(policy.Source{Policy: compileStored(policy.Inline, text)})
}

// BenchmarkDenied is a refused call, its record included.
func BenchmarkDenied(b *testing.B) {
	i, who := conditioned(b)
	ctx, resources := context.Background(), []string{"arn:aws:iam::111122223333:role/r"}
	b.ReportAllocs()
	for b.Loop() {
		if err := i.AuthorizeCall(ctx, who, "iam:DeleteRole", resources, nothing{}); err == nil {
			b.Fatal("it was allowed")
		}
	}
}
