package logs

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/store"
)

// Subscription sends a group's events on, as they come.
type Subscription struct {
	Group, Name  string
	Created      int64 // ms since 1970
	Pattern      string
	Destination  string // ARN
	Role         string
	Distribution string
}

// Cursor is how far a subscription has sent.
type Cursor struct {
	From    int64            // the serial before all that is to be sent
	Streams map[string]int64 // the last serial sent, by stream
}

// mostSubscriptions is how many a group can have.
const mostSubscriptions = 2

// PutSubscriptionFilter makes a subscription filter, or makes one anew. A destination
// that takes no test message is refused.
func (s *Service) PutSubscriptionFilter(ctx context.Context, in *cloudwatchlogs.PutSubscriptionFilterInput) (*cloudwatchlogs.PutSubscriptionFilterOutput, error) {
	f := Subscription{
		Group: aws.ToString(in.LogGroupName), Name: aws.ToString(in.FilterName), Created: s.ms(), Pattern: aws.ToString(in.FilterPattern),
		Destination: aws.ToString(in.DestinationArn), Role: aws.ToString(in.RoleArn), Distribution: string(in.Distribution),
	}
	switch {
	case !streamName.MatchString(f.Name):
		return nil, unmatched(f.Name, "filterName", "[^:*]*")
	case in.ApplyOnTransformedLogs:
		return nil, invalid("Log transformers are not supported.")
	case len(in.EmitSystemFields) > 0 || in.FieldSelectionCriteria != nil:
		return nil, invalid("System fields of centralized logs are not supported.")
	}
	if f.Distribution == "" {
		f.Distribution = string(types.DistributionByLogStream)
	}
	if _, err := readPattern(f.Pattern); err != nil {
		return nil, err
	}
	if _, ok := s.groups.Get(f.Group); !ok {
		return nil, notFound("group")
	}
	if f.Role != "" {
		if err := s.passRole(ctx, f.Role); err != nil {
			return nil, err
		}
	}
	to, err := s.targetOf(f.Destination)
	if err != nil {
		return nil, err
	}
	if err := s.try(ctx, &f, to); err != nil {
		s.Log.Warn("a subscription's destination takes no test message", "destination", f.Destination, "error", err)
		return nil, invalid("Could not deliver test message to specified destination. Check if the destination is valid: " + err.Error())
	}
	next, err := s.Events.Next(f.Group)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutSubscriptionFilterOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		if !s.hasGroup(tx, &f.Group) {
			return notFound("group")
		}
		key := streamKey(f.Group, f.Name)
		if others(s.subscriptions.In(tx), f.Group, key) >= mostSubscriptions {
			return limitExceeded
		}
		if err := s.checkRegexps(tx, f.Group, "", key, f.Pattern); err != nil {
			return err
		}
		if _, ok := s.cursors.In(tx).Get(key); !ok {
			s.cursors.In(tx).Put(key, Cursor{From: next - 1})
		}
		s.subscriptions.In(tx).Put(key, f)
		return nil
	})
}

// targetOf is what a subscription's destination leads to.
func (s *Service) targetOf(arn string) (target, error) {
	name, ok := strings.CutPrefix(arn, s.destinationARN(""))
	if !ok {
		to, err := s.readTarget(arn)
		if err == nil && to.url != "" {
			err = invalid("An HTTP endpoint is subscribed as a destination: PutDestination gives it a name.")
		}
		return to, err
	}
	d, ok := s.destinations.Get(name)
	if !ok {
		return target{}, noDestination
	}
	return s.readTarget(d.Target)
}

// DeleteSubscriptionFilter deletes a subscription filter.
func (s *Service) DeleteSubscriptionFilter(ctx context.Context, in *cloudwatchlogs.DeleteSubscriptionFilterInput) (*cloudwatchlogs.DeleteSubscriptionFilterOutput, error) {
	return &cloudwatchlogs.DeleteSubscriptionFilterOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		key := streamKey(aws.ToString(in.LogGroupName), aws.ToString(in.FilterName))
		switch _, ok := s.subscriptions.In(tx).Get(key); {
		case !ok && !s.hasGroup(tx, in.LogGroupName):
			return notFound("group")
		case !ok:
			return &types.ResourceNotFoundException{Message: aws.String("The specified subscription filter does not exist.")}
		}
		s.subscriptions.In(tx).Delete(key)
		s.cursors.In(tx).Delete(key)
		return nil
	})
}

// DescribeSubscriptionFilters lists a group's subscription filters.
func (s *Service) DescribeSubscriptionFilters(_ context.Context, in *cloudwatchlogs.DescribeSubscriptionFiltersInput) (*cloudwatchlogs.DescribeSubscriptionFiltersOutput, error) {
	group := aws.ToString(in.LogGroupName)
	if _, ok := s.groups.Get(group); !ok {
		return nil, notFound("group")
	}
	var all []Subscription
	for _, f := range s.subscriptions.List(streamKey(group, aws.ToString(in.FilterNamePrefix))) {
		all = append(all, f)
	}
	page, next, err := paged(all, in.Limit, in.NextToken, func(f Subscription) string { return f.Name })
	out := &cloudwatchlogs.DescribeSubscriptionFiltersOutput{SubscriptionFilters: []types.SubscriptionFilter{}, NextToken: next}
	for _, f := range page {
		view := types.SubscriptionFilter{
			LogGroupName: aws.String(f.Group), FilterName: aws.String(f.Name), CreationTime: aws.Int64(f.Created), FilterPattern: aws.String(f.Pattern),
			DestinationArn: aws.String(f.Destination), Distribution: types.Distribution(f.Distribution),
		}
		if f.Role != "" {
			view.RoleArn = aws.String(f.Role)
		}
		out.SubscriptionFilters = append(out.SubscriptionFilters, view)
	}
	return out, err
}

// pattern reads the filter's, which was read before it was stored.
func (f *Subscription) pattern() *filter.Pattern {
	p, err := filter.Parse(f.Pattern)
	if err != nil {
		return nil
	}
	return p
}
