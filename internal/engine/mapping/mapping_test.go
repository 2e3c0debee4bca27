package mapping_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/engine/mapping"
)

const account = "111122223333"

func role(t testing.TB, name, session string) mapping.Caller {
	t.Helper()
	c, err := mapping.NewCaller("arn:aws:sts::"+account+":assumed-role/"+name+"/"+session, account, "AROAEXAMPLE:"+session, "ASIAEXAMPLE")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func user(t testing.TB, path string) mapping.Caller {
	t.Helper()
	c, err := mapping.NewCaller("arn:aws:iam::"+account+":user/"+path, account, "AIDAEXAMPLE", "AKIAEXAMPLE")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// instances knows one machine.
func instances(id string) (string, error) {
	if id == "i-0123456789abcdef0" {
		return "ip-10-0-64-10.us-west-2.compute.internal", nil
	}
	return "", fmt.Errorf("instance %s does not exist", id)
}

// The workshop's ConfigMap, steps 1 and 2.
const workshop = `
- rolearn: arn:aws:iam::111122223333:role/eksctl-cluster-nodegroup-ng-NodeInstanceRole
  username: system:node:{{EC2PrivateDNSName}}
  groups:
  - system:bootstrappers
  - system:nodes
- rolearn: arn:aws:iam::111122223333:role/eks-user1
  username: user1
  groups:
  - user1:admins
`

func TestNewCaller(t *testing.T) {
	for _, tt := range []struct {
		name, arn, userID string
		want              mapping.Caller
		err               string
	}{
		{
			name: "role session", arn: "arn:aws:sts::111122223333:assumed-role/eks-user1/EKSGetTokenAuth", userID: "AROAX:EKSGetTokenAuth",
			want: mapping.Caller{CanonicalARN: "arn:aws:iam::111122223333:role/eks-user1", UserID: "AROAX", SessionName: "EKSGetTokenAuth"},
		},
		{
			name: "user with a path", arn: "arn:aws:iam::111122223333:user/team/alice", userID: "AIDAX",
			want: mapping.Caller{CanonicalARN: "arn:aws:iam::111122223333:user/team/alice", UserID: "AIDAX"},
		},
		{
			name: "root", arn: "arn:aws:iam::111122223333:root", userID: account,
			want: mapping.Caller{CanonicalARN: "arn:aws:iam::111122223333:root", UserID: account},
		},
		{
			name: "federated user", arn: "arn:aws:sts::111122223333:federated-user/bob", userID: account + ":bob",
			want: mapping.Caller{CanonicalARN: "arn:aws:sts::111122223333:federated-user/bob", UserID: account + ":bob"},
		},
		{name: "role session without a session", arn: "arn:aws:sts::111122223333:assumed-role/r/s", userID: "AROAX", err: `malformed UserID "AROAX"`},
		{name: "two colons", arn: "arn:aws:sts::111122223333:assumed-role/r/s", userID: "A:b:c", err: "malformed UserID"},
		{name: "no ARN", arn: "alice", err: "is invalid"},
		{name: "another service", arn: "arn:aws:s3:::bucket", err: "not a valid service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := mapping.NewCaller(tt.arn, account, tt.userID, "KEY")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error = %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.ARN, tt.want.AccountID, tt.want.AccessKeyID = tt.arn, account, "KEY"
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIdentify(t *testing.T) {
	node := role(t, "eksctl-cluster-nodegroup-ng-NodeInstanceRole", "i-0123456789abcdef0")
	for _, tt := range []struct {
		name   string
		data   map[string]string
		caller mapping.Caller
		want   mapping.Identity
		err    string
	}{
		{
			name: "a node", data: map[string]string{"mapRoles": workshop}, caller: node,
			want: mapping.Identity{Username: "system:node:ip-10-0-64-10.us-west-2.compute.internal", Groups: []string{"system:bootstrappers", "system:nodes"}},
		},
		{
			name: "user1", data: map[string]string{"mapRoles": workshop}, caller: role(t, "eks-user1", "EKSGetTokenAuth"),
			want: mapping.Identity{Username: "user1", Groups: []string{"user1:admins"}},
		},
		{
			name: "a node whose instance is gone", data: map[string]string{"mapRoles": workshop},
			caller: role(t, "eksctl-cluster-nodegroup-ng-NodeInstanceRole", "i-00000000000000000"), err: "instance i-00000000000000000 does not exist",
		},
		{
			name: "a node's role, assumed by a person", data: map[string]string{"mapRoles": workshop},
			caller: role(t, "eksctl-cluster-nodegroup-ng-NodeInstanceRole", "mallory"),
			err:    `error rendering username template "system:node:{{EC2PrivateDNSName}}": SessionName did not contain an instance id`,
		},
		{name: "unmapped", data: map[string]string{"mapRoles": workshop}, caller: role(t, "other", "s"), err: "not mapped"},
		{name: "a role's name as a user's", data: map[string]string{"mapRoles": workshop}, caller: user(t, "eks-user1"), err: "not mapped"},
		{name: "no data", caller: node, err: "not mapped"},
		{name: "the wrong key", data: map[string]string{"maproles": workshop}, caller: role(t, "eks-user1", "s"), err: "not mapped"},
		{
			name: "ARNs match in any case", data: map[string]string{"mapRoles": strings.ReplaceAll(workshop, "role/eks-user1", "role/EKS-User1")},
			caller: role(t, "eks-USER1", "s"), want: mapping.Identity{Username: "user1", Groups: []string{"user1:admins"}},
		},
		{
			name: "of duplicates the last wins, whatever their case", caller: role(t, "r", "s"),
			data: map[string]string{"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:role/R", username: first, groups: [a]}, {rolearn: "arn:aws:iam::111122223333:role/r", username: last}]`},
			want: mapping.Identity{Username: "last", Groups: []string{}},
		},
		{
			name: "a path never matches", caller: role(t, "r", "s"), err: "not mapped",
			data: map[string]string{"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:role/team/r", username: u}]`},
		},
		{
			name: "a user's path does", caller: user(t, "team/alice"), want: mapping.Identity{Username: "alice", Groups: []string{"dev"}},
			data: map[string]string{"mapUsers": `[{userarn: "arn:aws:iam::111122223333:user/team/alice", username: alice, groups: [dev]}]`},
		},
		{
			name: "roles before users", caller: user(t, "alice"), want: mapping.Identity{Username: "as-role", Groups: []string{}},
			data: map[string]string{
				"mapUsers": `[{userarn: "arn:aws:iam::111122223333:user/alice", username: as-user}]`,
				"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:user/alice", username: as-role}]`,
			},
		},
		{
			name: "an account", caller: role(t, "any", "s"), want: mapping.Identity{Username: "arn:aws:iam::111122223333:role/any", Groups: []string{}},
			data: map[string]string{"mapAccounts": `["111122223333"]`},
		},
		{
			name: "an account without quotes", caller: user(t, "alice"), want: mapping.Identity{Username: "arn:aws:iam::111122223333:user/alice", Groups: []string{}},
			data: map[string]string{"mapAccounts": "- 111122223333\n"},
		},
		{name: "another account", caller: user(t, "alice"), err: "not mapped", data: map[string]string{"mapAccounts": "- 444455556666\n"}},
		{
			name: "an entry before its account", caller: user(t, "alice"), want: mapping.Identity{Username: "a", Groups: []string{}},
			data: map[string]string{"mapAccounts": "- 111122223333", "mapUsers": `[{userarn: "arn:aws:iam::111122223333:user/alice", username: a}]`},
		},
		{
			name: "templates", caller: role(t, "r", "alice@example.com"),
			data: map[string]string{"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:role/r", username: "{{AccountID}}:{{SessionName}}:{{SessionNameRaw}}:{{AccessKeyID}}", groups: ["g-{{SessionName}}", "{{Unknown}}"]}]`},
			want: mapping.Identity{Username: "111122223333:alice-example.com:alice@example.com:ASIAEXAMPLE", Groups: []string{"g-alice-example.com", "{{Unknown}}"}},
		},
		{
			name: "a template in a group", caller: role(t, "r", "alice"), err: `error rendering group template "{{EC2PrivateDNSName}}"`,
			data: map[string]string{"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:role/r", username: u, groups: ["{{EC2PrivateDNSName}}"]}]`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, errs := mapping.Compile(tt.data)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			got, err := m.Identify(tt.caller, instances)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("identity %+v, error %v; want %q", got, err, tt.err)
				}
				if tt.err == "not mapped" && !errors.Is(err, mapping.ErrNotMapped) {
					t.Fatalf("%v is not ErrNotMapped", err)
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

// Of a malformed aws-auth the good entries hold.
func TestCompileKeepsWhatIsGood(t *testing.T) {
	good := `{rolearn: "arn:aws:iam::111122223333:role/good", username: good}`
	for _, tt := range []struct {
		name string
		data map[string]string
		errs []string // a part of each error's text
		kept bool     // role/good is mapped
	}{
		{name: "emptied sections", data: map[string]string{"mapRoles": `""`, "mapUsers": "``", "mapAccounts": " '' \n"}},
		{name: "a null", data: map[string]string{"mapRoles": "null"}},
		{name: "a boolean for a name", data: map[string]string{"mapRoles": `[{rolearn: "arn:aws:iam::111122223333:role/bad", username: y}, ` + good + `]`}, errs: []string{"mapRoles entry 1: json: cannot unmarshal bool"}, kept: true},
		{name: "a text for a list", data: map[string]string{"mapRoles": `[` + good + `, {rolearn: "arn:aws:iam::111122223333:role/bad", username: bad, groups: system:masters}]`}, errs: []string{"mapRoles entry 2: json: cannot unmarshal string"}, kept: true},
		{name: "no ARN", data: map[string]string{"mapRoles": `[{username: bad}, ` + good + `]`}, errs: []string{"mapRoles entry 1: one of rolearn or SSO must be supplied"}, kept: true},
		{name: "a null entry", data: map[string]string{"mapRoles": `[~, ` + good + `]`}, errs: []string{"mapRoles entry 1: one of rolearn"}, kept: true},
		{name: "a word for an entry", data: map[string]string{"mapRoles": `[bad, ` + good + `]`}, errs: []string{"mapRoles entry 1"}, kept: true},
		{name: "sso", data: map[string]string{"mapRoles": `[{sso: {permissionSetName: View, accountID: "111122223333"}, username: bad}, ` + good + `]`}, errs: []string{"mapRoles entry 1: sso mappings are not enabled"}, kept: true},
		{name: "a user without an ARN", data: map[string]string{"mapUsers": `[{rolearn: "arn:aws:iam::111122223333:role/bad", username: bad}]`, "mapRoles": `[` + good + `]`}, errs: []string{"mapUsers entry 1: value for userarn must be supplied"}, kept: true},
		{name: "an entry, not a list", data: map[string]string{"mapRoles": good}, errs: []string{"mapRoles is not a list"}},
		{name: "no YAML", data: map[string]string{"mapRoles": "- rolearn: [\n", "mapUsers": "\tx"}, errs: []string{"mapRoles: ", "mapUsers: "}},
		{name: "tabs", data: map[string]string{"mapRoles": "-\trolearn: x\n\t- y"}, errs: []string{"mapRoles: "}},
		{name: "accounts that are none", data: map[string]string{"mapAccounts": "a: b", "mapRoles": `[` + good + `]`}, errs: []string{"mapAccounts: "}, kept: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, errs := mapping.Compile(tt.data)
			if len(errs) != len(tt.errs) {
				t.Fatalf("errors = %v, want %d", errs, len(tt.errs))
			}
			for i, want := range tt.errs {
				if !strings.Contains(errs[i].Error(), want) {
					t.Errorf("error %d = %q, want %q in it", i, errs[i], want)
				}
			}
			if _, err := m.Identify(role(t, "good", "s"), nil); (err == nil) != tt.kept {
				t.Errorf("role/good: %v, want mapped: %t", err, tt.kept)
			}
			if id, err := m.Identify(role(t, "bad", "s"), nil); err == nil {
				t.Errorf("role/bad is mapped to %+v", id)
			}
		})
	}
}

func TestCreator(t *testing.T) {
	for _, tt := range []struct {
		principal string
		caller    mapping.Caller
		is        bool
	}{
		{"arn:aws:iam::111122223333:user/admin", user(t, "admin"), true},
		{"arn:aws:iam::111122223333:user/Admin", user(t, "admin"), true}, // IAM names differ in more than case
		{"arn:aws:iam::111122223333:user/admin", user(t, "admin2"), false},
		{"arn:aws:iam::111122223333:user/admin", role(t, "admin", "s"), false},
		{"arn:aws:iam::111122223333:role/team/deployer", role(t, "deployer", "s"), true},
		{"arn:aws:sts::111122223333:assumed-role/deployer/session", role(t, "deployer", "another"), true},
		{"arn:aws:iam::444455556666:user/admin", user(t, "admin"), false},
	} {
		creator, err := mapping.NewCreator(tt.principal)
		if err != nil {
			t.Fatal(err)
		}
		got, err := creator.Identify(tt.caller, nil)
		if (err == nil) != tt.is {
			t.Errorf("%s, asked about %s: %v", tt.principal, tt.caller.ARN, err)
		}
		if tt.is && (got.Username != "kubernetes-admin" || cmp.Diff(got.Groups, []string{"system:masters"}) != "") {
			t.Errorf("the creator is %+v", got)
		}
	}
	if _, err := mapping.NewCreator("admin"); err == nil {
		t.Error("a name is no ARN")
	}
	if _, err := mapping.Creator("").Identify(mapping.Caller{}, nil); !errors.Is(err, mapping.ErrNotMapped) {
		t.Errorf("nobody created it, yet: %v", err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(workshop, "", "- 1")
	f.Add("[~]", "[{}]", "a: b")
	f.Add("&a [*a]", "? ", "- !!binary x")
	f.Fuzz(func(t *testing.T, roles, users, accounts string) {
		m, _ := mapping.Compile(map[string]string{"mapRoles": roles, "mapUsers": users, "mapAccounts": accounts})
		if _, err := m.Identify(mapping.Caller{CanonicalARN: "", AccountID: "x"}, nil); err == nil && !strings.Contains(accounts, "x") {
			t.Fatalf("nobody is mapped by %q %q %q", roles, users, accounts)
		}
	})
}
