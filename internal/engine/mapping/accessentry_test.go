package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/engine/mapping"
)

func TestModes(t *testing.T) {
	for mode, want := range map[mapping.Mode][3]bool{
		mapping.ModeConfigMap:       {true, false, true},
		mapping.ModeAPIAndConfigMap: {false, true, true},
		mapping.ModeAPI:             {false, true, false},
		"":                          {},
		"api":                       {},
	} {
		if got := [3]bool{mode.Creator(), mode.AccessEntries(), mode.ConfigMap()}; got != want {
			t.Errorf("%q: creator, access entries, ConfigMap %v, want %v", mode, got, want)
		}
	}
}

func TestAccessEntries(t *testing.T) {
	const instance = "i-0123456789abcdef0"
	for _, tt := range []struct {
		name   string
		entry  mapping.AccessEntry
		caller mapping.Caller
		want   mapping.Identity
		err    string
	}{
		{
			name:   "a user",
			entry:  mapping.AccessEntry{Username: "arn:aws:iam::111122223333:user/ann"},
			caller: user(t, "ann"),
			want:   mapping.Identity{Username: "arn:aws:iam::111122223333:user/ann", Groups: []string{}},
		},
		{
			name:   "a role's session, with groups",
			entry:  mapping.AccessEntry{Username: "arn:aws:sts::111122223333:assumed-role/dev/{{SessionName}}", Groups: []string{"devs", "all"}},
			caller: role(t, "dev", "ann@example.com"),
			want:   mapping.Identity{Username: "arn:aws:sts::111122223333:assumed-role/dev/ann-example.com", Groups: []string{"devs", "all"}},
		},
		{
			name:   "a session can't name its groups",
			entry:  mapping.AccessEntry{Username: "dev", Groups: []string{"{{SessionName}}:masters"}},
			caller: role(t, "dev", "system"),
			want:   mapping.Identity{Username: "dev", Groups: []string{"{{SessionName}}:masters"}},
		},
		{
			name:   "the session's name as it is",
			entry:  mapping.AccessEntry{Username: "dev:{{SessionNameRaw}}"},
			caller: role(t, "dev", "ann@example.com"),
			want:   mapping.Identity{Username: "dev:ann@example.com", Groups: []string{}},
		},
		{
			name:   "a node",
			entry:  mapping.AccessEntry{Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}},
			caller: role(t, "node", instance),
			want:   mapping.Identity{Username: "system:node:ip-10-0-64-10.us-west-2.compute.internal", Groups: []string{"system:nodes"}},
		},
		{
			name:   "a node's role without an instance",
			entry:  mapping.AccessEntry{Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:nodes"}},
			caller: role(t, "node", "ann"),
			err:    "SessionName did not contain an instance id",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.entry.Identify(tt.caller, instances)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
