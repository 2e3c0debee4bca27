package logs

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// CreateLogGroup makes a group of the standard class.
func (s *Service) CreateLogGroup(ctx context.Context, in *cloudwatchlogs.CreateLogGroupInput) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	g := Group{Name: aws.ToString(in.LogGroupName), Created: s.ms(), Tags: in.Tags, Protected: aws.ToBool(in.DeletionProtectionEnabled)}
	switch {
	case !groupName.MatchString(g.Name):
		return nil, unmatched(g.Name, "logGroupName", `[\.\-_/#A-Za-z0-9]+`)
	case strings.HasPrefix(g.Name, "aws/"):
		return nil, invalid("Log groups starting with aws/ are reserved for AWS.")
	case in.KmsKeyId != nil:
		return nil, invalid("Encryption with a KMS key is not supported.")
	case in.LogGroupClass != "" && in.LogGroupClass != types.LogGroupClassStandard:
		return nil, invalid("The log group class " + string(in.LogGroupClass) + " is not supported.")
	}
	if err := checkTags(nil, in.Tags); err != nil {
		return nil, err
	}
	g.Tags = api.WithSystemTags(ctx, g.Tags)
	// What a deleted group of the name may have left goes first, if a crash kept it.
	s.making.Lock()
	defer s.making.Unlock()
	if _, there := s.groups.Get(g.Name); !there {
		if err := s.Events.DeleteGroup(g.Name); err != nil {
			return nil, err
		}
	}
	return &cloudwatchlogs.CreateLogGroupOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.groups.In(tx).Get(g.Name); ok {
			return exists("group")
		}
		s.groups.In(tx).Put(g.Name, g)
		return nil
	})
}

// DeleteLogGroup deletes a group with its streams and events.
func (s *Service) DeleteLogGroup(ctx context.Context, in *cloudwatchlogs.DeleteLogGroupInput) (*cloudwatchlogs.DeleteLogGroupOutput, error) {
	name := aws.ToString(in.LogGroupName)
	s.making.Lock()
	defer s.making.Unlock()
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		switch g, ok := s.groups.In(tx).Get(name); {
		case !ok:
			return notFound("group")
		case g.Protected:
			return &types.ValidationException{Message: aws.String("The log group " + name + " has deletion protection enabled and can't be deleted.")}
		}
		s.groups.In(tx).Delete(name)
		for key := range s.metricFilters.In(tx).List(streamKey(name, "")) {
			s.metricFilters.In(tx).Delete(key)
		}
		for key := range s.subscriptions.In(tx).List(streamKey(name, "")) {
			s.subscriptions.In(tx).Delete(key)
		}
		for key := range s.cursors.In(tx).List(streamKey(name, "")) {
			s.cursors.In(tx).Delete(key) // a group of the name counts its events anew
		}
		for key := range s.streams.In(tx).List(streamKey(name, "")) {
			s.streams.In(tx).Delete(key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteLogGroupOutput{}, s.Events.DeleteGroup(name)
}

// DescribeLogGroups lists groups by name.
func (s *Service) DescribeLogGroups(_ context.Context, in *cloudwatchlogs.DescribeLogGroupsInput) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	prefix, pattern := aws.ToString(in.LogGroupNamePrefix), strings.ToLower(aws.ToString(in.LogGroupNamePattern))
	switch {
	case prefix != "" && pattern != "":
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	case len(in.AccountIdentifiers) > 0 || aws.ToBool(in.IncludeLinkedAccounts):
		return nil, invalid("Linked accounts are not supported.")
	}
	var all []Group
	for _, g := range s.groups.List(prefix) {
		named := len(in.LogGroupIdentifiers) == 0 || slices.ContainsFunc(in.LogGroupIdentifiers, func(id string) bool { return s.named(nil, &id) == g.Name })
		// A pattern is a part of the name, letters of either case.
		if named && strings.Contains(strings.ToLower(g.Name), pattern) && (in.LogGroupClass == "" || in.LogGroupClass == types.LogGroupClassStandard) {
			all = append(all, g)
		}
	}
	page, next, err := paged(all, in.Limit, in.NextToken, func(g Group) string { return g.Name })
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeLogGroupsOutput{LogGroups: []types.LogGroup{}, NextToken: next}
	for _, g := range page {
		view := types.LogGroup{
			Arn: aws.String(s.groupARN(g.Name) + ":*"), LogGroupArn: aws.String(s.groupARN(g.Name)), LogGroupName: aws.String(g.Name), CreationTime: aws.Int64(g.Created),
			LogGroupClass: types.LogGroupClassStandard, MetricFilterCount: aws.Int32(0), StoredBytes: aws.Int64(0), DeletionProtectionEnabled: aws.Bool(g.Protected),
		}
		for range s.metricFilters.List(streamKey(g.Name, "")) {
			*view.MetricFilterCount++
		}
		if g.Retention > 0 {
			view.RetentionInDays = aws.Int32(g.Retention)
		}
		for _, t := range s.streams.List(streamKey(g.Name, "")) {
			st, err := s.Events.Stats(t.id(), s.oldest(&g))
			if err != nil {
				return nil, err
			}
			*view.StoredBytes += st.Bytes + eventOverhead*st.Events
		}
		out.LogGroups = append(out.LogGroups, view)
	}
	return out, nil
}

// ListLogGroups lists groups by name, whose names match a regular expression and which
// have the tags asked for.
func (s *Service) ListLogGroups(_ context.Context, in *cloudwatchlogs.ListLogGroupsInput) (*cloudwatchlogs.ListLogGroupsOutput, error) {
	switch {
	case len(in.AccountIdentifiers) > 0 || aws.ToBool(in.IncludeLinkedAccounts):
		return nil, invalid("Linked accounts are not supported.")
	case len(in.DataSources) > 0 || len(in.FieldIndexNames) > 0:
		return nil, invalid("Log groups can't be found by data sources or field indexes, which are not supported.")
	}
	pattern, err := regexp.Compile(aws.ToString(in.LogGroupNamePattern))
	if err != nil {
		return nil, invalid("The log group name pattern is invalid.")
	}
	var all []Group
	for _, g := range s.groups.List("") {
		tagged := !slices.ContainsFunc(in.LogGroupTags, func(f types.TagFilter) bool {
			v, ok := g.Tags[aws.ToString(f.Key)]
			return !ok || len(f.Values) > 0 && !slices.Contains(f.Values, v)
		})
		if tagged && pattern.MatchString(g.Name) && (in.LogGroupClass == "" || in.LogGroupClass == types.LogGroupClassStandard) {
			all = append(all, g)
		}
	}
	page, next, err := pagedTo(1000, all, in.Limit, in.NextToken, func(g Group) string { return g.Name })
	out := &cloudwatchlogs.ListLogGroupsOutput{LogGroups: []types.LogGroupSummary{}, NextToken: next}
	for _, g := range page {
		out.LogGroups = append(out.LogGroups, types.LogGroupSummary{LogGroupArn: aws.String(s.groupARN(g.Name)), LogGroupName: aws.String(g.Name), LogGroupClass: types.LogGroupClassStandard})
	}
	return out, err
}

// PutLogGroupDeletionProtection says whether a group can be deleted.
func (s *Service) PutLogGroupDeletionProtection(ctx context.Context, in *cloudwatchlogs.PutLogGroupDeletionProtectionInput) (*cloudwatchlogs.PutLogGroupDeletionProtectionOutput, error) {
	name := s.named(nil, in.LogGroupIdentifier)
	return &cloudwatchlogs.PutLogGroupDeletionProtectionOutput{}, s.changeGroup(ctx, name, func(g *Group) error {
		g.Protected = aws.ToBool(in.DeletionProtectionEnabled)
		return nil
	})
}

// retentions are the days that a retention may have.
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// PutRetentionPolicy says how long a group's events are kept.
func (s *Service) PutRetentionPolicy(ctx context.Context, in *cloudwatchlogs.PutRetentionPolicyInput) (*cloudwatchlogs.PutRetentionPolicyOutput, error) {
	if !slices.Contains(retentions, aws.ToInt32(in.RetentionInDays)) {
		return nil, invalid("1 validation error detected: Value at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]")
	}
	return &cloudwatchlogs.PutRetentionPolicyOutput{}, s.retain(ctx, in.LogGroupName, *in.RetentionInDays)
}

// DeleteRetentionPolicy keeps a group's events for ever.
func (s *Service) DeleteRetentionPolicy(ctx context.Context, in *cloudwatchlogs.DeleteRetentionPolicyInput) (*cloudwatchlogs.DeleteRetentionPolicyOutput, error) {
	return &cloudwatchlogs.DeleteRetentionPolicyOutput{}, s.retain(ctx, in.LogGroupName, 0)
}

func (s *Service) retain(ctx context.Context, name *string, days int32) error {
	return s.changeGroup(ctx, aws.ToString(name), func(g *Group) error { g.Retention = days; return nil })
}

// changeGroup changes a group's record.
func (s *Service) changeGroup(ctx context.Context, name string, change func(*Group) error) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		g, ok := s.groups.In(tx).Get(name)
		if !ok {
			return notFound("group")
		}
		if err := change(&g); err != nil {
			return err
		}
		s.groups.In(tx).Put(g.Name, g)
		return nil
	})
}

// oldest is the time of the oldest event that a group keeps.
func (s *Service) oldest(g *Group) int64 {
	if g.Retention == 0 {
		return 0
	}
	return s.Now().AddDate(0, 0, -int(g.Retention)).UnixMilli()
}
