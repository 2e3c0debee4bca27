package iam

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/eksact/eksact/internal/aws/iam"
	cliaccount "github.com/eksact/eksact/internal/cli/account"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/cases"
	"github.com/eksact/eksact/internal/hint"
)

// details are an account's entities and policies, as IAM tells them.
type details struct {
	users    map[string]types.UserDetail          // by ARN
	roles    map[string]types.RoleDetail          // by ARN
	groups   map[string]types.GroupDetail         // by name
	policies map[string]types.ManagedPolicyDetail // by ARN
	account  string
	stateDir string // of the daemon that was asked
	buckets  bucketPolicies
}

// bucketPolicies is what is needed of S3.
type bucketPolicies interface {
	GetBucketPolicy(context.Context, *s3.GetBucketPolicyInput, ...func(*s3.Options)) (*s3.GetBucketPolicyOutput, error)
}

// readAccount asks the IAM of the eksact that runs here for everything it has.
func readAccount(ctx context.Context, g *global.Options) (*details, error) {
	if err := daemon.Reach(g.RunDir); err != nil {
		return nil, fmt.Errorf("the account can't be asked: %w", err)
	}
	c, err := daemon.LoadConfig(g.StateDir, g.RunDir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var admin control.Credentials
	if err := control.Dial(g.RunDir).Call(ctx, "/credentials", nil, &admin); err != nil {
		return nil, unreached(err)
	}
	config := cliaccount.Config(c, admin)
	var status control.Status
	if err := control.Dial(g.RunDir).Call(ctx, "/status", daemon.StatusQuestion{}, &status); err != nil {
		return nil, unreached(err)
	}
	d, err := readDetails(ctx, status.Account, awsiam.NewFromConfig(config), s3.NewFromConfig(config, pathStyle))
	if err != nil {
		return nil, err
	}
	d.stateDir = status.StateDir
	return d, nil
}

// pathStyle names buckets in the path: the AWS API's address has no names for them.
func pathStyle(o *s3.Options) { o.UsePathStyle = true }

// readDetails pages through the account.
func readDetails(ctx context.Context, account string, client *awsiam.Client, buckets bucketPolicies) (*details, error) {
	d := &details{map[string]types.UserDetail{}, map[string]types.RoleDetail{}, map[string]types.GroupDetail{}, map[string]types.ManagedPolicyDetail{}, account, "", buckets}
	for p := awsiam.NewGetAccountAuthorizationDetailsPaginator(client, nil); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the account's policies: %w", err)
		}
		for _, u := range page.UserDetailList {
			d.users[aws.ToString(u.Arn)] = u
		}
		for _, r := range page.RoleDetailList {
			d.roles[aws.ToString(r.Arn)] = r
		}
		for _, g := range page.GroupDetailList {
			d.groups[aws.ToString(g.GroupName)] = g
		}
		for _, m := range page.Policies {
			d.policies[aws.ToString(m.Arn)] = m
		}
	}
	return d, nil
}

// fill gives a question the account's policies, and its principal what the account
// knows of it: unique id, path, tags.
func (d *details) fill(ctx context.Context, q *cases.Question) error {
	c := &q.Principal.Caller
	if c.Account != "" && c.Account != d.account {
		return hint.New(fmt.Sprintf("%s is of account %s, and the account here is %s", q.Principal.Name, c.Account, d.account), "name a principal of this account, or the files of the other's policies, without --live")
	}
	switch c.Kind {
	case policy.UserCaller:
		u, ok := d.users[c.ARN]
		if !ok {
			return hint.New("the account has no user "+c.ARN, "aws iam list-users shows those it has")
		}
		if err := d.fillUser(q, u); err != nil {
			return err
		}
	case policy.RoleCaller:
		r, ok := d.roleBehind(c)
		if !ok {
			return hint.New("the account has no role of "+q.Principal.Name, "aws iam list-roles shows those it has")
		}
		if err := d.fillRole(q, r); err != nil {
			return err
		}
	case policy.FederatedCaller:
		if err := d.fillFederated(q); err != nil {
			return err
		}
	}
	if err := d.fillBucket(ctx, q); err != nil {
		return err
	}
	return d.fillTrust(q)
}

// roleBehind finds the role of a session, whose ARN lacks the role's path.
func (d *details) roleBehind(c *policy.Caller) (types.RoleDetail, bool) {
	if r, ok := d.roles[c.Entity]; ok {
		return r, true
	}
	account, name, _ := strings.Cut(c.Entity, ":role/")
	for arn, r := range d.roles {
		if strings.HasPrefix(arn, account+":role/") && aws.ToString(r.RoleName) == name {
			return r, true
		}
	}
	return types.RoleDetail{}, false
}

func (d *details) fillUser(q *cases.Question, u types.UserDetail) (err error) {
	if q.Principal, err = cases.NewPrincipal(aws.ToString(u.Arn), aws.ToString(u.UserId), "", tagsOf(u.Tags, q)); err != nil {
		return err
	}
	return d.userPolicies(q, u)
}

// fillFederated adds the policies of the user behind a federated user. The session's
// own no account tells.
func (d *details) fillFederated(q *cases.Question) error {
	if q.Layers.Session == nil {
		return hint.New("what a federated user may do is decided by the policies of its session, which only the session has", "name their files with --session, and the user's ARN with --role")
	}
	u, ok := d.users[q.Principal.Caller.Entity]
	if !ok {
		return hint.New(fmt.Sprintf("the account has no user %s behind %s", quoted([]string{q.Principal.Caller.Entity}), q.Principal.Name), "name with --role the ARN of the user who called GetFederationToken")
	}
	return d.userPolicies(q, u)
}

// userPolicies adds the policies of a user and its groups.
func (d *details) userPolicies(q *cases.Question, u types.UserDetail) error {
	r := reader{d: d}
	r.inline("user "+aws.ToString(u.UserName), u.UserPolicyList)
	r.attached(u.AttachedManagedPolicies)
	for _, name := range u.GroupList {
		group := d.groups[name]
		r.inline("group "+name, group.GroupPolicyList)
		r.attached(group.AttachedManagedPolicies)
	}
	return r.into(&q.Layers, u.PermissionsBoundary)
}

func (d *details) fillRole(q *cases.Question, role types.RoleDetail) (err error) {
	if q.Principal, err = cases.NewPrincipal(q.Principal.Caller.ARN, aws.ToString(role.RoleId), aws.ToString(role.Arn), tagsOf(role.Tags, q)); err != nil {
		return err
	}
	r := reader{d: d}
	r.inline("role "+aws.ToString(role.RoleName), role.RolePolicyList)
	r.attached(role.AttachedManagedPolicies)
	return r.into(&q.Layers, role.PermissionsBoundary)
}

// fillTrust adds the trust policy of a role that is the resource of a call to STS.
func (d *details) fillTrust(q *cases.Question) error {
	if !strings.HasPrefix(strings.ToLower(q.Action), "sts:") || q.Layers.Resource != nil {
		return nil
	}
	role, ok := d.roles[q.Resource]
	if !ok {
		if strings.Contains(q.Resource, ":iam::"+d.account+":role/") {
			return hint.New("the account has no role "+q.Resource, "aws iam list-roles shows those it has")
		}
		return nil
	}
	r := reader{d: d}
	q.Layers.Resource, q.Layers.Kind = r.read(policy.Trust, "trust policy of role "+aws.ToString(role.RoleName), "", role.AssumeRolePolicyDocument), cases.RoleTrust
	return r.err
}

// fillBucket adds the policy of the bucket that the call is about.
func (d *details) fillBucket(ctx context.Context, q *cases.Question) error {
	name, ok := strings.CutPrefix(q.Resource, "arn:aws:s3:::")
	if !ok || q.Layers.Resource != nil {
		return nil
	}
	name, _, _ = strings.Cut(name, "/")
	if name == "" || strings.ContainsAny(name, "*?") {
		return nil
	}
	out, err := d.buckets.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name})
	if refusal := smithy.APIError(nil); errors.As(err, &refusal) && strings.HasPrefix(refusal.ErrorCode(), "NoSuchBucket") {
		return nil // no bucket, or none with a policy
	}
	if err != nil {
		return hint.New(fmt.Sprintf("the policy of bucket %s can't be read: %v", name, err), "name a file of it with --resource-policy")
	}
	q.Layers.Resource, err = cases.StoredPolicy(policy.Resource, "policy of bucket "+name, "", aws.ToString(out.Policy))
	return err
}

// tagsOf are an entity's tags, and over them those that the question gave.
func tagsOf(list []types.Tag, q *cases.Question) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for key, values := range q.Principal.Keys {
		if name, ok := strings.CutPrefix(key, "aws:principaltag/"); ok && len(values) > 0 {
			for known := range tags {
				if strings.EqualFold(known, name) {
					delete(tags, known)
				}
			}
			tags[name] = values[0]
		}
	}
	return tags
}

// reader collects policies, and keeps the first error.
type reader struct {
	d    *details
	list []*cases.Policy
	err  error
}

// read parses a document, which IAM's answers encode as URLs are.
func (r *reader) read(kind policy.Kind, name, arn string, document *string) *cases.Policy {
	text, err := url.PathUnescape(aws.ToString(document))
	if err == nil {
		var p *cases.Policy
		if p, err = cases.StoredPolicy(kind, name, arn, text); err == nil {
			return p
		}
	}
	if r.err == nil {
		r.err = err
	}
	return nil
}

func (r *reader) inline(of string, list []types.PolicyDetail) {
	for _, p := range list {
		r.list = append(r.list, r.read(policy.Inline, "inline policy "+aws.ToString(p.PolicyName)+" of "+of, "", p.PolicyDocument))
	}
}

func (r *reader) attached(list []types.AttachedPolicy) {
	for _, p := range list {
		r.list = append(r.list, r.managed(aws.ToString(p.PolicyArn)))
	}
}

// managed reads the default version of a managed policy.
func (r *reader) managed(arn string) *cases.Policy {
	for _, v := range r.d.policies[arn].PolicyVersionList {
		if v.IsDefaultVersion {
			return r.read(policy.Managed, arn, arn, v.Document)
		}
	}
	if text, ok := iam.AWSPolicy(arn); ok {
		return r.read(policy.Managed, arn, arn, aws.String(url.PathEscape(text)))
	}
	if r.err == nil {
		r.err = fmt.Errorf("policy %s is used, but the account does not tell its document", arn)
	}
	return nil
}

// into adds the policies that were read, beside those that files gave.
func (r *reader) into(l *cases.Layers, boundary *types.AttachedPermissionsBoundary) error {
	l.Identity = append(l.Identity, r.list...)
	if l.Boundary == nil {
		l.Boundary = r.boundary(boundary)
	}
	return r.err
}

func (r *reader) boundary(b *types.AttachedPermissionsBoundary) *cases.Policy {
	if b == nil {
		return nil
	}
	return r.managed(aws.ToString(b.PermissionsBoundaryArn))
}
