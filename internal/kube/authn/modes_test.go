package authn_test

import (
	"context"
	"errors"
	"testing"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/kube/authn"
)

// source knows some callers by their id, and may not be ready.
type source struct {
	names map[string]string // id → username
	err   error
}

func (s source) Identify(_ context.Context, c mapping.Caller, _ mapping.InstanceName) (mapping.Identity, error) {
	if s.err != nil {
		return mapping.Identity{}, s.err
	}
	if name, ok := s.names[c.UserID]; ok {
		return mapping.Identity{Username: name}, nil
	}
	return mapping.Identity{}, mapping.ErrNotMapped
}

func TestModesSayWhoIsAsked(t *testing.T) {
	entries := authn.AccessEntries(func(id string) (mapping.AccessEntry, bool) {
		switch id {
		case "AIDABOTH", "AIDAENTRY":
			return mapping.AccessEntry{Username: "by entry"}, true
		case "AIDANODE":
			return mapping.AccessEntry{Username: "{{EC2PrivateDNSName}}"}, true
		}
		return mapping.AccessEntry{}, false
	})
	ready := source{names: map[string]string{"AIDABOTH": "by aws-auth", "AIDAMAP": "by aws-auth", "AIDACREATOR": "by aws-auth", "AIDANODE": "by aws-auth"}}
	creator := source{names: map[string]string{"AIDACREATOR": "creator"}}
	for _, tt := range []struct {
		mode    mapping.Mode
		caller  string
		want    string
		err     error
		aws     source
		creator authn.Source
	}{
		{mode: mapping.ModeConfigMap, caller: "AIDACREATOR", want: "creator"},
		{mode: mapping.ModeConfigMap, caller: "AIDABOTH", want: "by aws-auth"},
		{mode: mapping.ModeConfigMap, caller: "AIDAENTRY", err: mapping.ErrNotMapped},
		{mode: mapping.ModeAPIAndConfigMap, caller: "AIDACREATOR", want: "by aws-auth"},
		{mode: mapping.ModeAPIAndConfigMap, caller: "AIDABOTH", want: "by entry"},
		{mode: mapping.ModeAPIAndConfigMap, caller: "AIDAENTRY", want: "by entry"},
		{mode: mapping.ModeAPIAndConfigMap, caller: "AIDAMAP", want: "by aws-auth"},
		{mode: mapping.ModeAPIAndConfigMap, caller: "AIDANOBODY", err: mapping.ErrNotMapped},
		{mode: mapping.ModeAPI, caller: "AIDAENTRY", want: "by entry"},
		{mode: mapping.ModeAPI, caller: "AIDAMAP", err: mapping.ErrNotMapped},
		{mode: mapping.ModeAPI, caller: "AIDACREATOR", err: mapping.ErrNotMapped},
		{mode: "", caller: "AIDABOTH", err: mapping.ErrNotMapped},
		// aws-auth is waited for only where it counts, and after the entries.
		{mode: mapping.ModeAPIAndConfigMap, caller: "AIDAENTRY", want: "by entry", aws: source{err: authn.ErrNotReady}},
		{mode: mapping.ModeAPIAndConfigMap, caller: "AIDAMAP", err: authn.ErrNotReady, aws: source{err: authn.ErrNotReady}},
		{mode: mapping.ModeAPI, caller: "AIDAMAP", err: mapping.ErrNotMapped, aws: source{err: authn.ErrNotReady}},
	} {
		m := authn.Modes{Mode: func() mapping.Mode { return tt.mode }, Creator: creator, Entries: entries, ConfigMap: ready}
		if tt.aws.err != nil {
			m.ConfigMap = tt.aws
		}
		got, err := m.Identify(t.Context(), mapping.Caller{UserID: tt.caller}, nil)
		if got.Username != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s, %s: got %q, %v; want %q, %v", tt.mode, tt.caller, got.Username, err, tt.want, tt.err)
		}
	}

	// An entry that can't be filled in refuses, whatever aws-auth says.
	m := authn.Modes{Mode: func() mapping.Mode { return mapping.ModeAPIAndConfigMap }, Entries: entries, ConfigMap: ready}
	if got, err := m.Identify(t.Context(), mapping.Caller{UserID: "AIDANODE"}, nil); err == nil || errors.Is(err, mapping.ErrNotMapped) {
		t.Errorf("a node's entry of no instance: %+v, %v", got, err)
	}
	// A cluster whose creation gave no access has no hidden creator.
	m = authn.Modes{Mode: func() mapping.Mode { return mapping.ModeConfigMap }, ConfigMap: source{}}
	if got, err := m.Identify(t.Context(), mapping.Caller{UserID: "AIDACREATOR"}, nil); !errors.Is(err, mapping.ErrNotMapped) {
		t.Errorf("no creator: %+v, %v", got, err)
	}
}
