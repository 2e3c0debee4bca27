// Package podidentity is the control pod-identity, see README.md.
package podidentity

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/verify"
)

// Control is the claim.
var Control = verify.Control{ID: "pod-identity", Claim: "a pod has the role associated with its service account while it is there, and no other pod has it", Check: check}

const (
	audience = "pods.eks.amazonaws.com"
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	account  = "associated"
	other    = "not-associated"

	fixHook = "kubectl get mutatingwebhookconfiguration pod-identity-webhook -o yaml   # is it there, and does it cover pods?"
	fix     = "aws eks list-pod-identity-associations --cluster-name %s"
)

func check(ctx context.Context, s *verify.Session) (string, error) {
	g, err := s.Guest(ctx)
	if err != nil {
		return "", err
	}
	fix := fmt.Sprintf(fix, s.Cluster)
	name := g.Role + "-pods"
	if err := associate(ctx, s, g, name); err != nil {
		return "", err
	}
	pod, err := g.Pod(ctx, account, account)
	if err != nil {
		return "", err
	}
	stranger, err := g.Pod(ctx, other, other)
	if err != nil {
		return "", err
	}
	uri, of := verify.Variable(pod, "AWS_CONTAINER_CREDENTIALS_FULL_URI"), verify.Audience(pod, "eks-pod-identity-token")
	s.Note("create pod "+pod.Name, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s, a token for %q", uri, of)
	if uri == "" || of != audience {
		return "", verify.Refute(fixHook, "a pod of an associated service account was made with AWS_CONTAINER_CREDENTIALS_FULL_URI=%q and a token for %q", uri, of)
	}

	token, err := g.Token(ctx, pod, audience)
	if err != nil {
		return "", err
	}
	who, err := ask(ctx, s, pod, token, func(err error) bool { return err == nil })
	if err != nil {
		return "", verify.Refute(fix, "the pod of an associated service account gets no credentials: %v", err)
	}
	if !strings.HasPrefix(who, s.SessionOf(name)+"eks-"+s.Cluster+"-") {
		return "", verify.Refute(fix, "the pod of role %s is %s", name, who)
	}
	theirs, err := g.Token(ctx, stranger, audience)
	if err != nil {
		return "", err
	}
	switch who, err := ask(ctx, s, stranger, theirs, func(error) bool { return true }); {
	case err == nil:
		return "", verify.Refute(fix, "a pod of service account %s, which has no association, became %s", other, who)
	case verify.Code(err) != "ResourceNotFoundException":
		return "", fmt.Errorf("a pod of service account %s: %w", other, err)
	}

	now := int64(0)
	if err := s.Admin.CoreV1().Pods(g.Role).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		return "", err
	}
	switch still, err := ask(ctx, s, pod, token, func(err error) bool { return err != nil }); {
	case err == nil:
		return "", verify.Refute(fix, "15 s after it was deleted, a pod's token still made %s", still)
	case verify.Code(err) != "InvalidTokenException":
		return "", fmt.Errorf("the token of a pod that is gone: %w", err)
	}
	return fmt.Sprintf("a pod of %s/%s got role %s; another service account's was refused, and its own token once it was deleted", g.Role, account, path.Base(path.Dir(who))), nil
}

// associate makes a role and associates it with the account; the other stays without.
func associate(ctx context.Context, s *verify.Session, g *verify.Guest, name string) error {
	role, err := s.Role(ctx, name, trust)
	if err != nil {
		return err
	}
	if err := errors.Join(g.Account(ctx, account, nil), g.Account(ctx, other, nil)); err != nil {
		return err
	}
	made, err := s.EKS.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: &s.Cluster, Namespace: &g.Role, ServiceAccount: aws.String(account), RoleArn: &role,
	})
	if err != nil {
		return err
	}
	s.OnClose(func(ctx context.Context) error {
		_, err := s.EKS.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: &s.Cluster, AssociationId: made.Association.AssociationId})
		return err
	})
	return nil
}

// ask asks for a pod's credentials by a token, and returns whose they are.
func ask(ctx context.Context, s *verify.Session, p *corev1.Pod, token string, done func(error) bool) (string, error) {
	var out *eksauth.AssumeRoleForPodIdentityOutput
	err := verify.Settle(ctx, func() (err error) {
		out, err = eksauth.NewFromConfig(s.AWS).AssumeRoleForPodIdentity(ctx, &eksauth.AssumeRoleForPodIdentityInput{ClusterName: &s.Cluster, Token: &token})
		return err
	}, done)
	if err != nil {
		s.Note("eks-auth AssumeRoleForPodIdentity as pod "+p.Name, "%v", err)
		return "", err
	}
	return s.WhoHas(ctx, out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken)
}
