package logs

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Destination is a name for a place that events are sent to. AWS's are Kinesis streams,
// of other accounts mostly; here a target is the ARN of a bucket, with a prefix or
// without, that of an SNS topic, or the URL of an HTTP endpoint.
type Destination struct {
	Name    string
	Target  string
	Role    string
	Policy  string // "" without
	Created int64  // ms since 1970
	Tags    map[string]string
}

func (s *Service) arn(rest string) string {
	return "arn:" + s.Place.Partition + ":logs:" + s.Place.Region + ":" + s.Place.AccountID + ":" + rest
}

func (s *Service) destinationARN(name string) string { return s.arn("destination:" + name) }

func (s *Service) ofDestination(name *string) []string {
	return []string{s.destinationARN(aws.ToString(name))}
}

func (s *Service) isDestination(arn *string) bool {
	return strings.HasPrefix(aws.ToString(arn), s.destinationARN(""))
}

// target is where events go: a bucket, a topic, or an endpoint.
type target struct {
	bucket, prefix string
	topic          string // ARN
	url            string
}

// readTarget reads the target of a destination, or of a subscription filter.
func (s *Service) readTarget(text string) (target, error) {
	if rest, ok := strings.CutPrefix(text, "arn:"+s.Place.Partition+":s3:::"); ok && rest != "" {
		bucket, prefix, _ := strings.Cut(rest, "/")
		return target{bucket: bucket, prefix: strings.Trim(prefix, "/")}, nil
	}
	if strings.HasPrefix(text, "arn:"+s.Place.Partition+":sns:"+s.Place.Region+":"+s.Place.AccountID+":") {
		return target{topic: text}, nil
	}
	if u, err := url.Parse(text); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		if s.Reaches != nil {
			if err := s.Reaches(u); err != nil {
				return target{}, invalid("The destination " + text + " can't be sent to: " + err.Error() + ".")
			}
		}
		return target{url: text}, nil
	}
	return target{}, invalid("The destination " + text + " is not supported: only buckets (arn:" + s.Place.Partition + ":s3:::BUCKET/PREFIX), topics of this account and, as targets of destinations, HTTP endpoints (https://…) are.")
}

// passRole refuses a role that the caller may not pass, or that this service can't
// assume.
func (s *Service) passRole(ctx context.Context, role string) error {
	principal := s.principal()
	if err := s.Roles.CheckPass(ctx, role, principal); err != nil {
		return err
	}
	if !s.Roles.Assumable(ctx, role, principal) && !s.Roles.Assumable(ctx, role, "logs.amazonaws.com") {
		return invalid("Could not assume the role " + role + ": its trust policy must let " + principal + ".")
	}
	return nil
}

// principal is this service's name in policies.
func (s *Service) principal() string { return "logs." + s.Place.Region + ".amazonaws.com" }

// PutDestination makes a destination, or gives one another target.
func (s *Service) PutDestination(ctx context.Context, in *cloudwatchlogs.PutDestinationInput) (*cloudwatchlogs.PutDestinationOutput, error) {
	d := Destination{Name: aws.ToString(in.DestinationName), Target: aws.ToString(in.TargetArn), Role: aws.ToString(in.RoleArn), Created: s.ms(), Tags: in.Tags}
	if !streamName.MatchString(d.Name) {
		return nil, unmatched(d.Name, "destinationName", "[^:*]*")
	}
	if _, err := s.readTarget(d.Target); err != nil {
		return nil, err
	}
	if err := checkTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := s.passRole(ctx, d.Role); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if old, ok := s.destinations.In(tx).Get(d.Name); ok {
			d.Policy, d.Created, d.Tags = old.Policy, old.Created, old.Tags
		}
		s.destinations.In(tx).Put(d.Name, d)
		return nil
	})
	return &cloudwatchlogs.PutDestinationOutput{Destination: s.destinationView(d)}, err
}

func (s *Service) destinationView(d Destination) *types.Destination {
	view := &types.Destination{
		Arn: aws.String(s.destinationARN(d.Name)), DestinationName: aws.String(d.Name), TargetArn: aws.String(d.Target), RoleArn: aws.String(d.Role), CreationTime: aws.Int64(d.Created),
	}
	if d.Policy != "" {
		view.AccessPolicy = aws.String(d.Policy)
	}
	return view
}

var noDestination = &types.ResourceNotFoundException{Message: aws.String("The specified destination does not exist.")}

// PutDestinationPolicy says who may subscribe to a destination: other accounts, of which
// there are none here.
func (s *Service) PutDestinationPolicy(ctx context.Context, in *cloudwatchlogs.PutDestinationPolicyInput) (*cloudwatchlogs.PutDestinationPolicyOutput, error) {
	document := aws.ToString(in.AccessPolicy)
	if _, err := policy.Parse(policy.Resource, document); err != nil {
		return nil, invalid("The access policy is not valid: " + err.Error())
	}
	return &cloudwatchlogs.PutDestinationPolicyOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		d, ok := s.destinations.In(tx).Get(aws.ToString(in.DestinationName))
		if !ok {
			return noDestination
		}
		d.Policy = document
		s.destinations.In(tx).Put(d.Name, d)
		return nil
	})
}

// DeleteDestination deletes a destination, and the subscription filters that lead to it.
func (s *Service) DeleteDestination(ctx context.Context, in *cloudwatchlogs.DeleteDestinationInput) (*cloudwatchlogs.DeleteDestinationOutput, error) {
	name := aws.ToString(in.DestinationName)
	return &cloudwatchlogs.DeleteDestinationOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.destinations.In(tx).Get(name); !ok {
			return noDestination
		}
		s.destinations.In(tx).Delete(name)
		for key, f := range s.subscriptions.In(tx).List("") {
			if f.Destination == s.destinationARN(name) {
				s.subscriptions.In(tx).Delete(key)
				s.cursors.In(tx).Delete(key)
			}
		}
		return nil
	})
}

// DescribeDestinations lists destinations by name.
func (s *Service) DescribeDestinations(_ context.Context, in *cloudwatchlogs.DescribeDestinationsInput) (*cloudwatchlogs.DescribeDestinationsOutput, error) {
	var all []Destination
	for _, d := range s.destinations.List(aws.ToString(in.DestinationNamePrefix)) {
		all = append(all, d)
	}
	page, next, err := paged(all, in.Limit, in.NextToken, func(d Destination) string { return d.Name })
	out := &cloudwatchlogs.DescribeDestinationsOutput{Destinations: []types.Destination{}, NextToken: next}
	for _, d := range page {
		out.Destinations = append(out.Destinations, *s.destinationView(d))
	}
	return out, err
}
