package resources

import (
	"context"
	"slices"
	"testing"

	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// TestTheTable: handlers are of types that there are, and support properties that these
// have. What only says that it supports something would be silently dropped.
func TestTheTable(t *testing.T) {
	for _, name := range Types() {
		kind, found := spec.Find(name)
		if !found {
			t.Errorf("%s is no type", name)
			continue
		}
		h := handlers[name]
		if h.create == nil || h.remove == nil {
			t.Errorf("%s cannot be made or deleted", name)
		}
		for _, p := range h.supports {
			if _, found := kind.Property(p); !found {
				t.Errorf("%s has no property %s", name, p)
			}
		}
		changeable := slices.ContainsFunc(kind.Properties, func(p spec.Property) bool {
			return p.Replaces != spec.Always && (h.supports == nil || slices.Contains(h.supports, p.Name))
		})
		if changeable && h.update == nil {
			t.Errorf("%s cannot be updated, though properties of it can", name)
		}
	}
}

// TestUnsupportedProperties are refused before any call is made.
func TestUnsupportedProperties(t *testing.T) {
	h, _ := Find("AWS::S3::Bucket")
	j := &Job{Order: stack.Order{Type: "AWS::S3::Bucket", Action: stack.ActCreate, Properties: map[string]any{"BucketName": "b", "CorsConfiguration": map[string]any{}}}}
	if _, err := h.Do(context.Background(), j); err == nil || err.Error() != "Encountered unsupported property CorsConfiguration" {
		t.Errorf("got %v", err)
	}
	var in struct{ Known *string }
	if err := into(&in, map[string]any{"Known": "a", "Other": "b"}, "Known", "Other"); err == nil || err.Error() != "Encountered unsupported property Other" {
		t.Errorf("got %v", err)
	}
}
