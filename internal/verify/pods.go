package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	authn "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Account makes a service account in the guest's namespace.
func (g *Guest) Account(ctx context.Context, name string, annotations map[string]string) error {
	_, err := g.s.Admin.CoreV1().ServiceAccounts(g.Role).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
	}, metav1.CreateOptions{})
	return err
}

// Pod makes a pod of a service account in the guest's namespace, and returns it as
// admission leaves it. It stays at a gate of the scheduler and never runs: whose it is
// says the API server.
func (g *Guest) Pod(ctx context.Context, name, account string) (*corev1.Pod, error) {
	never := false
	return g.s.Admin.CoreV1().Pods(g.Role).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			ServiceAccountName: account, AutomountServiceAccountToken: &never,
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "eksact.dev/verify"}},
			Containers:      []corev1.Container{{Name: "none", Image: "none.invalid/none"}},
		},
	}, metav1.CreateOptions{})
}

// Token is a token of a pod's service account, bound to the pod, as the kubelet gets one
// for a volume of the pod.
func (g *Guest) Token(ctx context.Context, pod *corev1.Pod, audience string) (string, error) {
	seconds := int64(600)
	out, err := g.s.Admin.CoreV1().ServiceAccounts(g.Role).CreateToken(ctx, pod.Spec.ServiceAccountName, &authn.TokenRequest{Spec: authn.TokenRequestSpec{
		Audiences: []string{audience}, ExpirationSeconds: &seconds,
		BoundObjectRef: &authn.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return out.Status.Token, nil
}

// Variable is one of a pod's only container.
func Variable(p *corev1.Pod, name string) string {
	for _, e := range p.Spec.Containers[0].Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// Audience is whom the token in a volume of a pod is for; "" if there is no such volume.
func Audience(p *corev1.Pod, volume string) string {
	for _, v := range p.Spec.Volumes {
		if v.Name != volume || v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ServiceAccountToken != nil {
				return s.ServiceAccountToken.Audience
			}
		}
	}
	return ""
}

// WhoHas asks STS whose credentials these are.
func (s *Session) WhoHas(ctx context.Context, id, secret, token *string) (string, error) {
	out, err := s.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(aws.ToString(id), aws.ToString(secret), aws.ToString(token))
	})
	if err != nil {
		return "", err
	}
	s.Note("sts GetCallerIdentity with these credentials", "%s", aws.ToString(out.Arn))
	return aws.ToString(out.Arn), nil
}

// SessionOf is how the ARNs of a role's sessions begin.
func (s *Session) SessionOf(role string) string {
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/", s.Partition, s.Account, role)
}

// Settle calls until done likes the answer's error, for as long as AWS may take to know
// everywhere what was changed, and returns the last one.
func Settle(ctx context.Context, call func() error, done func(error) bool) error {
	for end := time.Now().Add(15 * time.Second); ; {
		err := call()
		if done(err) || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// Code is the code of an error of AWS, "" of none.
func Code(err error) string {
	var said interface{ ErrorCode() string }
	if errors.As(err, &said) {
		return said.ErrorCode()
	}
	return ""
}
