package sts

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// How long sessions of pods last: of the role itself, and of a target role, which is
// chained.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
const (
	podSession    = 6 * time.Hour
	targetSession = 59 * time.Minute
)

// PodSession is what a pod's session is to be.
type PodSession struct {
	Service       string // principal that assumes the role
	RoleARN       string
	TargetRoleARN string // assumed with the role's session; "" if none is
	ExternalID    string // for the target
	Name          string
	Tags          map[string]string // transitive; nil without
	Policy        string            // a session policy of the last role; "" without
}

// OpenPodSession makes the credentials that EKS gets for a pod: of its role, by the
// role's trust in the service, and with them of the target role if there is one. It
// answers with the session's ARN and id.
func (s *STS) OpenPodSession(ctx context.Context, p PodSession) (keys Keys, arn, id string, err error) {
	role, ok := s.iam.RoleByARN(p.RoleARN)
	if !ok {
		return Keys{}, "", "", denied("there is no role " + p.RoleARN)
	}
	tags, transitive := p.tags()
	session := api.Session{Name: p.Name, Tags: p.Tags}
	if p.TargetRoleARN == "" { // the target role's trust is to find them in its own request
		session.TransitiveTags = transitive
	}
	conditions := tagKeys(tags, session.TransitiveTags)
	conditions["sts:RoleSessionName"] = []string{p.Name}
	if !s.iam.AdmitsSession(&role, p.Service, actionsOf("sts:AssumeRole", &session, conditions), conditions) {
		return Keys{}, "", "", denied(p.Service + " is not authorized to assume " + p.RoleARN)
	}
	if p.Policy != "" && p.TargetRoleARN == "" {
		session.Policies = []string{p.Policy}
	}
	keys, _, err = s.open(sealed{api.AssumedRole, role.ID, session}, podSession, nil)
	if err != nil || p.TargetRoleARN == "" {
		return keys, s.sessionARN(role.Name, p.Name), role.ID + ":" + p.Name, err
	}
	return s.openTarget(ctx, p, keys)
}

// tags are the session's, in order, and which of them are transitive: all.
func (p *PodSession) tags() (tags []types.Tag, transitive []string) {
	transitive = slices.Sorted(maps.Keys(p.Tags))
	for _, key := range transitive {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(p.Tags[key])})
	}
	return tags, transitive
}

// openTarget assumes the target role as the session of the pod's role does by itself.
func (s *STS) openTarget(ctx context.Context, p PodSession, first Keys) (keys Keys, arn, id string, err error) {
	_, who, err := s.Resolve(ctx, first.AccessKeyID, first.SessionToken, s.now())
	if err != nil {
		return Keys{}, "", "", err
	}
	call := api.CallerFrom(ctx)
	who.SourceIP, who.UserAgent, who.TLS, who.RequestID, who.Time = call.SourceIP, call.UserAgent, call.TLS, call.RequestID, call.Time
	who.Region, who.RequestedRegion = s.place.Region, s.place.Region
	in := &sts.AssumeRoleInput{RoleArn: &p.TargetRoleARN, RoleSessionName: &p.Name, DurationSeconds: aws.Int32(int32(targetSession / time.Second))}
	in.Tags, in.TransitiveTagKeys = p.tags()
	if p.ExternalID != "" {
		in.ExternalId = &p.ExternalID
	}
	if p.Policy != "" {
		in.Policy = &p.Policy
	}
	out, err := s.AssumeRole(api.WithCaller(ctx, &who), in)
	if err != nil {
		return Keys{}, "", "", err
	}
	c := out.Credentials
	return Keys{*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken, *c.Expiration}, *out.AssumedRoleUser.Arn, *out.AssumedRoleUser.AssumedRoleId, nil
}
