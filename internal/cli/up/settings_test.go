package up

import (
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/daemon"
)

const made1 = head + `accessConfig:
  authenticationMode: API
  accessEntries:
  - principalARN: arn:aws:iam::111122223333:user/u
    accessPolicies: [{policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy, accessScope: {type: namespace, namespaces: [b, a]}}]
vpc: {clusterEndpoints: {privateAccess: true}}
addons: [{name: vpc-cni, configurationValues: '{"enableNetworkPolicy": "true"}'}]
managedNodeGroups:
- {name: p, instanceType: m5.large, minSize: 1, maxSize: 3, labels: {tier: web}}
`

// TestDifferences: what is there and other than the file is told by its place. It is the
// users' own, to be kept, where the file has not changed since all of it was made.
func TestDifferences(t *testing.T) {
	m := fileOf(t, made1)
	const (
		entry  = "entry/arn:aws:iam::111122223333:user/u/"
		policy = entry + "policy/arn:aws:eks::aws:cluster-access-policy/"
	)
	have := func(changes ...string) map[string]string {
		all := map[string]string{}
		for _, s := range m.wants() {
			all[s.key] = s.want
		}
		for i := 0; i < len(changes); i += 2 {
			all[changes[i]] = changes[i+1]
		}
		return all
	}
	const mode, scope, other = "5:23: accessConfig.authenticationMode: the file says API, and there is CONFIG_MAP",
		"8:22: accessConfig.accessEntries[0].accessPolicies[0]: the file says for a, b, and there is for the cluster",
		"7:5: accessConfig.accessEntries[0]: the file doesn't name what is there: access policy arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy"
	changed := strings.Replace(made1, "authenticationMode: API", "authenticationMode: API_AND_CONFIG_MAP", 1)
	for name, test := range map[string]struct {
		before  string // of which all was made; "": of none
		have    map[string]string
		refused string
		kept    string
	}{
		"nothing is there":               {"", nil, "", ""},
		"all is as it says":              {"", have(), "", ""},
		"the mode, never whole":          {"", have("mode", "CONFIG_MAP"), mode, ""},
		"the mode, by a user":            {made1, have("mode", "CONFIG_MAP"), "", mode},
		"the mode, by the file":          {changed, have("mode", "CONFIG_MAP"), mode, ""},
		"a scope":                        {"", have(policy+"AmazonEKSViewPolicy", "for the cluster"), scope, ""},
		"a policy more":                  {"", have(policy+"AmazonEKSAdminPolicy", "for the cluster"), other, ""},
		"a policy more, by a user":       {made1, have(policy+"AmazonEKSAdminPolicy", "for the cluster"), "", other},
		"a role's policy":                {"", have("role/eksctl-c-nodegroup-p-NodeInstanceRole/policy/x", attached), "12:3: managedNodeGroups[0]: the file doesn't name what is there: role eksctl-c-nodegroup-p-NodeInstanceRole: policy x", ""},
		"a size":                         {"", have("nodegroup/p/max", "4"), "12:58: managedNodeGroups[0].maxSize: the file says 3, and there is 4", ""},
		"a label that is empty":          {"", have("nodegroup/p/label/tier", none), `12:70: managedNodeGroups[0].labels.tier: the file says web, and there is ""`, ""},
		"what the file doesn't speak of": {"", have("logging", "api", "nodegroup/p/desired", "2", "addon/vpc-cni/version", "v1"), "", ""},
	} {
		var before *manifest
		if test.before != "" {
			before = fileOf(t, test.before)
		}
		var refused, kept string
		for _, d := range differences(m, before, test.have) {
			if text := strings.TrimPrefix(d.text, m.file+":"); d.users {
				kept += text
			} else {
				refused += text
			}
		}
		if refused != test.refused || kept != test.kept {
			t.Errorf("%s:\n refused %s\n    want %s\n kept %s\n want %s", name, refused, test.refused, kept, test.kept)
		}
	}
	if canonical(`{"a": 1}`) != canonical("a: 1") {
		t.Error("one configuration in two spellings is two")
	}
}

// TestAnotherPlace: an account that was made stays where it is.
func TestAnotherPlace(t *testing.T) {
	kept := daemon.Default(t.TempDir(), t.TempDir())
	moved := kept
	moved.Region = "eu-west-1"
	if err := samePlace(kept, moved); err != nil {
		t.Errorf("a first start: %v", err)
	}
	if err := kept.Save(); err != nil {
		t.Fatal(err)
	}
	if err := samePlace(kept, kept); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := samePlace(kept, moved); err == nil || err.Error() != "--region: the account was made in us-west-2, and can't be moved to eu-west-1" {
		t.Errorf("another region: %v", err)
	}
	moved = kept
	moved.Account = "444455556666"
	if err := samePlace(kept, moved); err == nil || !strings.HasPrefix(err.Error(), "--account: ") {
		t.Errorf("another account: %v", err)
	}
}

func TestNeeds(t *testing.T) {
	m := fileOf(t, head+`accessConfig:
  accessEntries:
  - principalARN: arn:aws:iam::111122223333:user/u
  - principalARN: arn:aws:iam::444455556666:user/other
  - principalARN: arn:aws:iam::111122223333:role/eksctl-c-cluster-ServiceRole
iam:
  withOIDC: true
  serviceAccounts:
  - {metadata: {name: a}, attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess, arn:aws:iam::111122223333:policy/own]}
  - {metadata: {name: b}, attachRoleARN: arn:aws:iam::111122223333:role/path/b}
`)
	var got []string
	for _, n := range m.needs() {
		got = append(got, m.At(n.path)+" "+n.arn)
	}
	want := "6:19 arn:aws:iam::111122223333:user/u\n12:94 arn:aws:iam::111122223333:policy/own\n13:42 arn:aws:iam::111122223333:role/path/b"
	if strings.Join(got, "\n") != want {
		t.Errorf("needs\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	m.have = map[string]string{"entry/arn:aws:iam::111122223333:user/u/type": "STANDARD"}
	if all := m.needs(); len(all) != 2 {
		t.Errorf("an entry that is there needs its user: %v", all)
	}
}
