// Package secret is the control secret-read, see README.md.
package secret

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "secret-read", Claim: "a secret is read by those who may read it", Check: check}

const fix = "kubectl auth can-i get secrets -n default --as-group system:authenticated --as nobody   # then look for the binding that allows it"

func check(ctx context.Context, s *verify.Session) (proof string, err error) {
	g, client, err := s.MappedGuest(ctx)
	if err != nil {
		return "", err
	}
	const where = metav1.NamespaceDefault
	secrets := s.Admin.CoreV1().Secrets(where)
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: g.Role}, StringData: map[string]string{"password": "password"}}
	if _, err := secrets.Create(ctx, made, metav1.CreateOptions{}); err != nil {
		return "", err
	}
	defer func() {
		if gone := secrets.Delete(context.WithoutCancel(ctx), g.Role, metav1.DeleteOptions{}); err == nil {
			err = gone
		}
	}()
	if read, err := secrets.Get(ctx, g.Role, metav1.GetOptions{}); err != nil || string(read.Data["password"]) != "password" {
		return "", fmt.Errorf("the administrator can't read the secret back: %v", err)
	}
	_, err = client.CoreV1().Secrets(where).Get(ctx, g.Role, metav1.GetOptions{})
	want := fmt.Sprintf("secrets %q is forbidden: User %q cannot get resource \"secrets\" in API group \"\" in the namespace %q", g.Role, g.Role, where)
	switch {
	case err == nil:
		return "", verify.Refute(fix, "user %s read secret %s of namespace %s", g.Role, g.Role, where)
	case !apierrors.IsForbidden(err):
		return "", err
	case err.Error() != want:
		return "", verify.Refute(fix, "it was refused by other than RBAC: %v", err)
	}
	s.Note("get secret "+g.Role, "%v", err)
	if _, err := client.CoreV1().Secrets(where).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		if err == nil {
			return "", verify.Refute(fix, "user %s listed the secrets of namespace %s", g.Role, where)
		}
		return "", err
	}
	return fmt.Sprintf("the administrator read it; to user %s: Error from server (Forbidden)", g.Role), nil
}
