package mapping_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"

	"github.com/eksact/eksact/internal/engine/mapping"
)

// reference is upstream's answer: its parser and matchers, in the order of its
// ConfigMapMapper and its server, whose store cannot be filled from outside.
func reference(data map[string]string, c mapping.Caller) (mapping.Identity, bool) {
	users, roles, accounts, _ := configmap.ParseMap(data)
	subject := strings.ToLower(c.CanonicalARN)
	byKey := map[string]config.RoleMapping{}
	for _, r := range roles {
		byKey[r.Key()] = r
	}
	for _, r := range byKey {
		if r.Matches(subject) {
			return mapping.Identity{Username: r.Username, Groups: append([]string{}, r.Groups...)}, true
		}
	}
	// Upstream's users are keyed with their case, and of two that differ in
	// case only, chance picks one: the last one, here.
	for _, u := range slices.Backward(users) {
		if u.Matches(subject) {
			return mapping.Identity{Username: u.Username, Groups: append([]string{}, u.Groups...)}, true
		}
	}
	if slices.Contains(accounts, c.AccountID) {
		return mapping.Identity{Username: c.CanonicalARN, Groups: []string{}}, true
	}
	return mapping.Identity{}, false
}

// Random ConfigMaps, good and malformed, must map random callers as upstream
// does. An entry with a field of the wrong type is the exception: upstream
// keeps half of it. Those entries have ARNs of their own here, and must map
// nobody.
func TestCompileAgreesWithUpstream(t *testing.T) {
	logrus.SetOutput(io.Discard)
	defer logrus.SetOutput(logrus.StandardLogger().Out)

	names := []string{"alice", "Alice", "bob", "team/carol", "dave"}
	word := rapid.SampledFrom([]string{"u1", "'y'", `"true"`, "system:node:x", `""`, "ü", "a b", "x#y"})
	arns := rapid.Custom(func(t *rapid.T) string {
		kind := rapid.SampledFrom([]string{"role", "user"}).Draw(t, "kind")
		return fmt.Sprintf("arn:aws:iam::%s:%s/%s", rapid.SampledFrom([]string{account, "012345678901"}).Draw(t, "account"), kind, rapid.SampledFrom(names).Draw(t, "name"))
	})
	entry := func(field string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			switch rapid.IntRange(0, 9).Draw(t, "shape") {
			case 0:
				return rapid.SampledFrom([]string{
					"- {" + field + `: "arn:aws:iam::111122223333:role/bad", username: y}`,
					"- {" + field + `: "arn:aws:iam::111122223333:role/bad", groups: one}`,
					"- {" + field + `: "arn:aws:iam::111122223333:role/bad", username: 5}`,
					"- {" + field + `: [x], username: bad}`,
				}).Draw(t, "bad")
			case 1:
				return rapid.SampledFrom([]string{"- {username: x}", "- ~", "- {}", "- {" + field + ": ''}", "# nothing"}).Draw(t, "void")
			}
			out := "- " + rapid.SampledFrom([]string{field, strings.ToUpper(field)}).Draw(t, "spelling") + ": " + arns.Draw(t, "arn")
			if rapid.Bool().Draw(t, "named") {
				out += "\n  username: " + word.Draw(t, "username")
			}
			if rapid.Bool().Draw(t, "grouped") {
				out += "\n  groups: [" + strings.Join(rapid.SliceOfN(word, 0, 3).Draw(t, "groups"), ", ") + "]"
			}
			return out
		})
	}
	section := func(field string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
				return rapid.SampledFrom([]string{"", "``", "''", "null", "word", "a: b", "- [", "\t- x", "- a\n b: c", "--- \n- {}\n---\n- {}"}).Draw(t, "section")
			}
			return strings.Join(rapid.SliceOfN(entry(field), 0, 5).Draw(t, "entries"), "\n")
		})
	}
	accounts := rapid.SampledFrom([]string{"", "''", "- 111122223333", `- "012345678901"`, "- 012345678901", "[x, 111122223333]", "- [x]\n- 111122223333", "a: b", "word", "- ~", "- true"})

	rapid.Check(t, func(t *rapid.T) {
		data := map[string]string{
			"mapRoles":    section("rolearn").Draw(t, "mapRoles"),
			"mapUsers":    section("userarn").Draw(t, "mapUsers"),
			"mapAccounts": accounts.Draw(t, "mapAccounts"),
		}
		m, _ := mapping.Compile(data)
		for _, a := range []string{account, "012345678901"} {
			for _, name := range names {
				for _, c := range []mapping.Caller{
					{CanonicalARN: "arn:aws:iam::" + a + ":user/" + name, AccountID: a},
					{CanonicalARN: "arn:aws:iam::" + a + ":role/" + strings.TrimPrefix(name, "team/"), AccountID: a},
				} {
					got, err := m.Identify(c, nil)
					want, ok := reference(data, c)
					if (err == nil) != ok || cmp.Diff(want, got) != "" {
						t.Fatalf("%s is %+v (%v), upstream's %+v (%t)\n%v", c.CanonicalARN, got, err, want, ok, data)
					}
				}
			}
		}
		bad := mapping.Caller{CanonicalARN: "arn:aws:iam::111122223333:role/bad", AccountID: "0"}
		if id, err := m.Identify(bad, nil); err == nil {
			t.Fatalf("a half-read entry maps to %+v\n%v", id, data)
		}
	})
}
