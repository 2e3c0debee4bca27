package mapping_test

import (
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/mapping"
)

func TestAddRole(t *testing.T) {
	const node = "- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: arn:aws:iam::111122223333:role/node\n  username: system:node:{{EC2PrivateDNSName}}\n"
	user := mapping.Role{ARN: "arn:aws:iam::111122223333:role/eks-user1", Username: "user1", Groups: []string{"user1:admins"}}
	const added = "- groups:\n  - user1:admins\n  rolearn: arn:aws:iam::111122223333:role/eks-user1\n  username: user1\n"
	for name, test := range map[string]struct{ have, want string }{
		"none":              {"", added},
		"an empty list":     {"[]", added},
		"after another":     {node, node + added},
		"no last newline":   {strings.TrimRight(node, "\n"), node + added},
		"comments stay":     {"# ours\n" + node, "# ours\n" + node + added},
		"is there":          {"- rolearn: ARN:aws:iam::111122223333:role/EKS-user1\n  username: boss\n", ""},
		"indented by two":   {"  - rolearn: arn:aws:iam::1:role/a\n    username: a\n", "- rolearn: arn:aws:iam::1:role/a\n  username: a\n" + added},
		"flow style":        {"[{rolearn: 'arn:aws:iam::1:role/a', username: a}]", "- rolearn: arn:aws:iam::1:role/a\n  username: a\n" + added},
		"no list":           {"user1", "error"},
		"a list of strings": {"- user1", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mapping.AddRole(test.have, user)
			switch {
			case test.want == "error":
				if err == nil || got != "" {
					t.Errorf("%q, %v: not refused", got, err)
				}
				return
			case err != nil:
				t.Fatal(err)
			case test.want == "" && got != test.have:
				t.Errorf("changed to %q", got)
			case test.want != "" && got != test.want:
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want != "" && strings.Contains(mapping.RemoveRole(got, user), user.ARN) {
				t.Error("not removed again")
			}
		})
	}
	if changed := strings.Replace(added, "user1\n", "user2\n", 1); mapping.RemoveRole(changed, user) != changed {
		t.Error("an entry that someone changed was removed")
	}
}
