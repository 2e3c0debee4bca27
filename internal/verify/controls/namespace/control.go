// Package namespace is the control namespace-scope, see README.md.
package namespace

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "namespace-scope", Claim: "rights in one namespace are none in another", Check: check}

const fix = "kubectl get clusterrolebindings,rolebindings -A -o wide   # which of them binds system:authenticated or system:serviceaccounts?"

func check(ctx context.Context, s *verify.Session) (string, error) {
	g, client, err := s.MappedGuest(ctx)
	if err != nil {
		return "", err
	}
	if _, err := client.CoreV1().Pods(g.Role).List(ctx, metav1.ListOptions{}); err != nil {
		return "", fmt.Errorf("in its own namespace: %w", err)
	}
	for _, elsewhere := range []string{metav1.NamespaceDefault, metav1.NamespaceAll} {
		_, err := client.CoreV1().Pods(elsewhere).List(ctx, metav1.ListOptions{})
		if err == nil {
			return "", verify.Refute(fix, "user %s, who has rights in namespace %s alone, listed the pods of namespace %q", g.Role, g.Role, elsewhere)
		}
		if !apierrors.IsForbidden(err) {
			return "", err
		}
		s.Note("pods of namespace "+elsewhere, "%v", err)
	}
	return fmt.Sprintf("user %s lists pods in its namespace, in default and in all it is forbidden to", g.Role), nil
}
