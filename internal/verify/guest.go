package verify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	authn "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/eksact/eksact/internal/engine/mapping"
)

// Guest is an identity made for the run: an IAM role that the account may assume,
// and a namespace in which its Kubernetes group may do everything. At first it is
// not mapped.
type Guest struct {
	s         *Session
	Role      string // name, and that of the namespace, user and group
	ARN       string
	keys      aws.CredentialsProvider
	mapped    map[Way]bool
	madeMap   bool // there was no aws-auth
	lastToken time.Time
}

// Way is how a role is mapped to a user of a cluster.
type Way string

const (
	AWSAuth Way = "aws-auth"
	Entry   Way = "an access entry"
)

// Ways are those that count in a cluster.
func (s *Session) Ways(ctx context.Context) (all []Way, err error) {
	mode, err := s.Mode(ctx)
	if mode.ConfigMap() {
		all = append(all, AWSAuth)
	}
	if mode.AccessEntries() {
		all = append(all, Entry)
	}
	return all, err
}

// Guest makes the guest at the first call, and returns it.
func (s *Session) Guest(ctx context.Context) (*Guest, error) {
	if s.guest != nil {
		return s.guest, nil
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	g := &Guest{s: s, Role: "eksact-verify-" + hex.EncodeToString(random[:]), mapped: map[Way]bool{}}
	s.guest = g
	if err := g.makeRole(ctx); err != nil {
		return nil, err
	}
	s.OnClose(g.remove)
	return g, g.makeNamespace(ctx)
}

// MappedGuest is the guest when the cluster lets it in.
func (s *Session) MappedGuest(ctx context.Context) (*Guest, kubernetes.Interface, error) {
	g, err := s.Guest(ctx)
	if err != nil {
		return nil, nil, err
	}
	ways, err := s.Ways(ctx)
	if err != nil {
		return nil, nil, err
	}
	way := ways[len(ways)-1]
	if err := g.Map(ctx, way); err != nil {
		return nil, nil, err
	}
	if _, err := g.Await(ctx, func(err error) bool { return err == nil }); err != nil {
		return nil, nil, fmt.Errorf("mapped by %s, the role is still refused: %w", way, err)
	}
	client, err := g.Client(ctx)
	return g, client, err
}

func (g *Guest) makeRole(ctx context.Context) error {
	var err error
	g.ARN, err = g.s.Role(ctx, g.Role, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:%s:iam::%s:root"},"Action":"sts:AssumeRole"}]}`,
		g.s.Partition, g.s.Account))
	if err != nil {
		return err
	}
	session, err := g.assume(ctx)
	if err != nil {
		return err
	}
	g.keys = credentials.NewStaticCredentialsProvider(aws.ToString(session.AccessKeyId), aws.ToString(session.SecretAccessKey), aws.ToString(session.SessionToken))
	return nil
}

// Role makes an IAM role, which is removed at the end, and returns its ARN.
func (s *Session) Role(ctx context.Context, name, trust string) (arn string, err error) {
	// Also if the call is cut short: its answer may be what is lost.
	s.OnClose(func(ctx context.Context) error {
		_, err := s.IAM.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
		var none *iamtypes.NoSuchEntityException
		if errors.As(err, &none) {
			return nil
		}
		return err
	})
	made, err := s.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &name, AssumeRolePolicyDocument: &trust, Description: aws.String("made by eksact verify, which removes it"),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(made.Role.Arn), nil
}

// assume takes the role on. AWS knows a new role everywhere only after seconds.
func (g *Guest) assume(ctx context.Context) (*types.Credentials, error) {
	for try := 0; ; try++ {
		out, err := g.s.STS.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &g.ARN, RoleSessionName: aws.String("eksact-verify")})
		if err == nil {
			return out.Credentials, nil
		}
		if try == 15 {
			return nil, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

func (g *Guest) makeNamespace(ctx context.Context) error {
	name := metav1.ObjectMeta{Name: g.Role}
	if _, err := g.s.Admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: name}, metav1.CreateOptions{}); err != nil {
		return err
	}
	role := &rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}}
	if _, err := g.s.Admin.RbacV1().Roles(g.Role).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := g.s.Admin.RbacV1().RoleBindings(g.Role).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: g.Role},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: g.Role}},
	}, metav1.CreateOptions{})
	return err
}

// entry is the guest's mapping in aws-auth.
func (g *Guest) entry() mapping.Role {
	return mapping.Role{ARN: g.ARN, Username: g.Role, Groups: []string{g.Role}}
}

// Map maps the guest in one way.
func (g *Guest) Map(ctx context.Context, way Way) (err error) {
	switch {
	case g.mapped[way]:
		return nil
	case way == Entry:
		_, err = g.s.EKS.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{
			ClusterName: &g.s.Cluster, PrincipalArn: &g.ARN, Username: &g.Role, KubernetesGroups: []string{g.Role},
		})
	default:
		err = g.editMap(ctx, func(text string) (string, error) { return mapping.AddRole(text, g.entry()) })
	}
	g.mapped[way] = err == nil
	return err
}

// Unmap takes it out again.
func (g *Guest) Unmap(ctx context.Context, way Way) (err error) {
	switch {
	case !g.mapped[way]:
		return nil
	case way == Entry:
		_, err = g.s.EKS.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: &g.s.Cluster, PrincipalArn: &g.ARN})
	default:
		err = g.editMap(ctx, func(text string) (string, error) { return mapping.RemoveRole(text, g.entry()), nil })
	}
	g.mapped[way] = err != nil
	return err
}

func (g *Guest) editMap(ctx context.Context, edit func(string) (string, error)) error {
	maps := g.s.Admin.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := maps.Get(ctx, "aws-auth", metav1.GetOptions{})
		missing := apierrors.IsNotFound(err)
		if err != nil && !missing {
			return err
		}
		text, err := edit(found.Data["mapRoles"])
		if err != nil || text == found.Data["mapRoles"] {
			return err
		}
		switch {
		case missing: // a cluster without nodes has none
			g.madeMap = true
			_, err = maps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: metav1.NamespaceSystem},
				Data:       map[string]string{"mapRoles": text},
			}, metav1.CreateOptions{FieldManager: "eksact-verify"})
		case text == "" && g.madeMap:
			err = maps.Delete(ctx, "aws-auth", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &found.ResourceVersion}})
		default:
			if found.Data == nil {
				found.Data = map[string]string{}
			}
			found.Data["mapRoles"] = text
			_, err = maps.Update(ctx, found, metav1.UpdateOptions{FieldManager: "eksact-verify"})
		}
		return err
	})
}

// Client speaks to the cluster as the guest, with a token never used before:
// signatures are by the second, and a cluster may remember a token it accepted.
func (g *Guest) Client(ctx context.Context) (kubernetes.Interface, error) {
	if err := pause(ctx, time.Until(g.lastToken.Truncate(time.Second).Add(time.Second))); err != nil {
		return nil, err
	}
	g.lastToken = time.Now()
	return g.s.client(ctx, g.keys)
}

// Whoami asks the cluster who the guest is.
func (g *Guest) Whoami(ctx context.Context) (authn.UserInfo, error) {
	client, err := g.Client(ctx)
	if err != nil {
		return authn.UserInfo{}, err
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authn.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authn.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

// Await asks until the answer's error is the expected one, for as long as a
// cluster may take to see a change of its mapping.
func (g *Guest) Await(ctx context.Context, expected func(error) bool) (who authn.UserInfo, err error) {
	for end := time.Now().Add(15 * time.Second); ; {
		who, err = g.Whoami(ctx)
		if expected(err) || time.Now().After(end) || ctx.Err() != nil {
			return who, err
		}
	}
}

// Identity asks STS who the guest is: that its keys live.
func (g *Guest) Identity(ctx context.Context) (string, error) {
	out, err := g.s.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) { o.Credentials = g.keys })
	if err != nil {
		g.s.Note("sts GetCallerIdentity as "+g.Role, "%v", err)
		return "", err
	}
	g.s.Note("sts GetCallerIdentity as "+g.Role, "%s", aws.ToString(out.Arn))
	return aws.ToString(out.Arn), nil
}

// remove takes away what was made beside the role, all that can be.
func (g *Guest) remove(ctx context.Context) error {
	failed := []error{g.Unmap(ctx, AWSAuth), g.Unmap(ctx, Entry)}
	err := g.s.Admin.CoreV1().Namespaces().Delete(ctx, g.Role, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
