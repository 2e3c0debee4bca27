package eksauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/aws/aws-sdk-go-v2/service/eksauth/types"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/engine/oidc"
	"github.com/eksact/eksact/internal/engine/policy"
)

// Clusters is what is asked of EKS's API.
type Clusters interface {
	ARN(name string) string
	Cluster(name string) (eks.Cluster, bool)
	AssociationOf(cluster, namespace, account string) (eks.Association, bool)
	AssociationARN(eks.Association) string
}

// Sessions is what is asked of STS.
type Sessions interface {
	OpenPodSession(ctx context.Context, p sts.PodSession) (keys sts.Keys, arn, id string, err error)
}

// Deps is what a Service is made of.
type Deps struct {
	Clusters Clusters
	Sessions Sessions
	// Keys are the public keys of a cluster's tokens, by its id.
	Keys func(id string) (jose.JSONWebKeySet, bool)
	// Live says whether a token's pod and service account are there in a cluster, and
	// those it was made for. An error is an outage.
	Live func(ctx context.Context, cluster string, b oidc.Bound) (bool, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// Service answers the EKS Auth API.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service { return &Service{d} }

// Service lists the operation for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "eksauth", Action: "eks-auth"}
	api.Add(svc, "AssumeRoleForPodIdentity", s.AssumeRoleForPodIdentity, func(_ context.Context, in *eksauth.AssumeRoleForPodIdentityInput) []string {
		return []string{s.Clusters.ARN(aws.ToString(in.ClusterName))}
	})
	api.WithKeys(svc, "AssumeRoleForPodIdentity", func(_ context.Context, in *eksauth.AssumeRoleForPodIdentityInput, key string) policy.Values {
		const tag = "aws:resourcetag/"
		c, ok := s.Clusters.Cluster(aws.ToString(in.ClusterName))
		if !ok || len(key) <= len(tag) || key[:len(tag)] != tag {
			return policy.Values{}
		}
		return api.TagValue(c.Tags, key[len(tag):])
	})
	return svc
}

// AssumeRoleForPodIdentity makes credentials of the role that is associated with the
// service account of a pod.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumeRoleForPodIdentity.html
func (s *Service) AssumeRoleForPodIdentity(ctx context.Context, in *eksauth.AssumeRoleForPodIdentityInput) (*eksauth.AssumeRoleForPodIdentityOutput, error) {
	cluster, ok := s.Clusters.Cluster(aws.ToString(in.ClusterName))
	if !ok {
		return nil, notFound("No cluster found for name: %s.", aws.ToString(in.ClusterName))
	}
	bound, err := s.verified(cluster, aws.ToString(in.Token))
	if err != nil {
		return nil, err
	}
	a, ok := s.Clusters.AssociationOf(cluster.Name, bound.Namespace, bound.ServiceAccount)
	if !ok {
		return nil, notFound("No association found for namespace: %s, serviceAccount: %s in cluster %s", bound.Namespace, bound.ServiceAccount, cluster.Name)
	}
	switch live, err := s.Live(ctx, cluster.Name, bound); {
	case err != nil:
		s.Log.Warn("eks-auth: a cluster can't be asked for a pod", "cluster", cluster.Name, "error", err)
		return nil, &types.ServiceUnavailableException{Message: aws.String("The cluster can't be asked now. Try again.")}
	case !live:
		return nil, invalidToken("The token's pod or service account is gone, or another by now")
	}
	keys, arn, id, err := s.Sessions.OpenPodSession(ctx, s.session(cluster, a, bound))
	if err != nil {
		return nil, s.refused(err, a)
	}
	return &eksauth.AssumeRoleForPodIdentityOutput{
		Subject:  &types.Subject{Namespace: &bound.Namespace, ServiceAccount: &bound.ServiceAccount},
		Audience: aws.String(eks.PodPrincipal),
		PodIdentityAssociation: &types.PodIdentityAssociation{
			AssociationArn: aws.String(s.Clusters.AssociationARN(a)), AssociationId: &a.ID,
		},
		AssumedRoleUser: &types.AssumedRoleUser{Arn: &arn, AssumeRoleId: &id},
		Credentials: &types.Credentials{
			AccessKeyId: &keys.AccessKeyID, SecretAccessKey: &keys.SecretAccessKey, SessionToken: &keys.SessionToken, Expiration: &keys.Expires,
		},
	}, nil
}

// verified takes a token as far as its cluster's keys say.
func (s *Service) verified(cluster eks.Cluster, text string) (bound oidc.Bound, err error) {
	t, err := oidc.Parse(text)
	if err != nil {
		return bound, tokenError(err)
	}
	if t.Issuer != cluster.Issuer {
		return bound, invalidToken("The token was not issued by cluster " + cluster.Name)
	}
	if err := t.Accept([]string{eks.PodPrincipal}, s.Now()); err != nil {
		return bound, tokenError(err)
	}
	keys, _ := s.Keys(cluster.ID)
	if err := t.Verify(keys); err != nil {
		return bound, tokenError(err)
	}
	if bound, err = t.Kubernetes(); err != nil {
		return bound, tokenError(err)
	}
	if bound.Pod == "" || bound.PodUID == "" {
		return bound, invalidToken("The token is bound to no pod")
	}
	return bound, nil
}

// longestName is that of a session's.
const longestName = 64

// session is what a pod's is to be: its name says whose it is, and so do its tags,
// unless the association turns them off.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
func (s *Service) session(c eks.Cluster, a eks.Association, b oidc.Bound) sts.PodSession {
	id := uuid.NewString()
	name := "eks-" + c.Name + "-" + b.Pod
	p := sts.PodSession{
		Service: eks.PodPrincipal, RoleARN: a.RoleARN, TargetRoleARN: a.TargetRoleARN, ExternalID: a.ExternalID, Policy: a.Policy,
		Name: name[:min(len(name), longestName-1-len(id))] + "-" + id,
	}
	if !a.NoSessionTags {
		p.Tags = map[string]string{
			"eks-cluster-arn": s.Clusters.ARN(c.Name), "eks-cluster-name": c.Name, "kubernetes-namespace": b.Namespace,
			"kubernetes-service-account": b.ServiceAccount, "kubernetes-pod-name": b.Pod, "kubernetes-pod-uid": b.PodUID,
		}
	}
	return p
}

// refused says that a role can't be assumed; why is logged, for the machine's owner.
func (s *Service) refused(err error, a eks.Association) error {
	var e *api.Error
	if !errors.As(err, &e) || e.Status >= http.StatusInternalServerError {
		return err
	}
	s.Log.Info("eks-auth: a pod's role can't be assumed", "association", a.ID, "role", a.RoleARN, "target", a.TargetRoleARN, "error", err)
	return &types.AccessDeniedException{Message: aws.String("Unauthorized Exception! EKS does not have permissions to assume the associated role.")}
}

func tokenError(err error) error {
	var e *oidc.Error
	if errors.As(err, &e) && e.Kind == oidc.Expired {
		return &types.ExpiredTokenException{Message: aws.String(fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", e.Now, e.At))}
	}
	return invalidToken(err.Error())
}

func invalidToken(text string) error { return &types.InvalidTokenException{Message: &text} }

func notFound(format string, args ...any) error {
	return &types.ResourceNotFoundException{Message: aws.String(fmt.Sprintf(format, args...))}
}
