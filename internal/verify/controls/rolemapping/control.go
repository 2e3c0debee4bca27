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
var Control = verify.Control{ID: "role-mapping", Claim: "an IAM role enters by its mapping and by nothing else", Check: check}

const fix = "kubectl describe configmap -n kube-system aws-auth   # and aws eks list-access-entries: what else maps this account's roles?"

func check(ctx context.Context, s *verify.Session) (string, error) {
	g, err := s.Guest(ctx)
	if err != nil {
		return "", err
	}
	for _, way := range []verify.Way{verify.AWSAuth, verify.Entry} {
		if err := g.Unmap(ctx, way); err != nil {
			return "", err
		}
	}
	if _, err := g.Identity(ctx); err != nil {
		return "", err
	}
	if who, err := g.Whoami(ctx); !apierrors.IsUnauthorized(err) {
		return "", unexpected("before it was mapped", who, err)
	}
	ways, err := s.Ways(ctx)
	if err != nil {
		return "", err
	}
	ignored := ""
	if !slices.Contains(ways, verify.AWSAuth) {
		// All the while that it comes and goes by the other way.
		if err := g.Map(ctx, verify.AWSAuth); err != nil {
			return "", err
		}
		ignored = ", though aws-auth mapped it all the while: in mode API that counts for nothing"
	}
	for _, way := range ways {
		if err := enters(ctx, g, way); err != nil {
			return "", err
		}
	}
	if err := g.Unmap(ctx, verify.AWSAuth); err != nil {
		return "", err
	}
	return fmt.Sprintf("role %s was refused; mapped by %s it was user %s, unmapped it was refused again%s", g.Role, list(ways), g.Role, ignored), nil
}

// enters maps the guest in one way, and takes the mapping away again.
func enters(ctx context.Context, g *verify.Guest, way verify.Way) error {
	if err := g.Map(ctx, way); err != nil {
		return err
	}
	who, err := g.Await(ctx, func(err error) bool { return err == nil })
	if err != nil {
		return verify.Refute(fix, "mapped by %s, the role is still refused: %v", way, err)
	}
	groups := slices.DeleteFunc(slices.Clone(who.Groups), func(group string) bool { return group == "system:authenticated" })
	if who.Username != g.Role || !slices.Equal(groups, []string{g.Role}) {
		return verify.Refute(fix, "mapped by %s to user and group %s, the role is %s in %s", way, g.Role, who.Username, strings.Join(who.Groups, ", "))
	}
	if err := g.Unmap(ctx, way); err != nil {
		return err
	}
	if who, err := g.Await(ctx, apierrors.IsUnauthorized); !apierrors.IsUnauthorized(err) {
		return unexpected("after its mapping by "+string(way)+" was removed", who, err)
	}
	return nil
}

func list(ways []verify.Way) string {
	var names []string
	for _, w := range ways {
		names = append(names, string(w))
	}
	return strings.Join(names, ", and by ")
}

func unexpected(when string, who authn.UserInfo, err error) error {
	if err != nil {
		return err
	}
	return verify.Refute(fix, "%s the role was let in as %s in %s", when, who.Username, strings.Join(who.Groups, ", "))
}
