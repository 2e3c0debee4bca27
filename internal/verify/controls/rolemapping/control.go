// Package rolemapping is the control role-mapping, see README.md.
package rolemapping

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authn "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "role-mapping", Claim: "an IAM role enters by its mapping in aws-auth and by nothing else", Check: check}

const fix = "kubectl describe configmap -n kube-system aws-auth   # and aws eks list-access-entries: what else maps this account's roles?"

func check(ctx context.Context, s *verify.Session) (string, error) {
	g, err := s.Guest(ctx)
	if err != nil {
		return "", err
	}
	if err := g.Unmap(ctx); err != nil {
		return "", err
	}
	if _, err := g.Identity(ctx); err != nil {
		return "", err
	}
	if who, err := g.Whoami(ctx); !apierrors.IsUnauthorized(err) {
		return "", unexpected("before it was mapped", who, err)
	}
	if err := g.Map(ctx); err != nil {
		return "", err
	}
	who, err := g.Await(ctx, func(err error) bool { return err == nil })
	if err != nil {
		return "", verify.Refute(fix, "mapped in aws-auth, the role is still refused: %v", err)
	}
	groups := slices.DeleteFunc(slices.Clone(who.Groups), func(group string) bool { return group == "system:authenticated" })
	if who.Username != g.Role || !slices.Equal(groups, []string{g.Role}) {
		return "", verify.Refute(fix, "mapped to user and group %s, the role is %s in %s", g.Role, who.Username, strings.Join(who.Groups, ", "))
	}
	if err := g.Unmap(ctx); err != nil {
		return "", err
	}
	if who, err := g.Await(ctx, apierrors.IsUnauthorized); !apierrors.IsUnauthorized(err) {
		return "", unexpected("after its mapping was removed", who, err)
	}
	return fmt.Sprintf("role %s was refused, mapped it was user %s, unmapped it was refused again", g.Role, who.Username), nil
}

func unexpected(when string, who authn.UserInfo, err error) error {
	if err != nil {
		return err
	}
	return verify.Refute(fix, "%s the role was let in as %s in %s", when, who.Username, strings.Join(who.Groups, ", "))
}
