package logs

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/engine/cron"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/store"
)

// ScheduledQuery is a query that is run by the clock, as a role.
type ScheduledQuery struct {
	ID, Name, Description string
	Query                 string
	Groups                []string // identifiers, as they were given
	Schedule, Zone        string
	StartOffset           int64 // of the time that is asked about, seconds before the run; 0: defaultLookback
	EndOffset             int64
	From, To              int64  // when it may run, as given; 0 without
	Role                  string // that the query runs as
	Bucket                *Results
	State                 types.ScheduledQueryState
	Created, Modified     int64 // ms since 1970
	LastRun               int64 // ms since 1970; 0 without
	LastStatus            types.ExecutionStatus
	Tags                  map[string]string
}

// Results is where a scheduled query's results go: a bucket or a lookup table.
type Results struct {
	URI, Role string
	Owner     string `json:",omitempty"` // of the bucket, "" without

	Table       string            `json:",omitempty"` // its name; URI is its ARN
	Description string            `json:",omitempty"`
	Tags        map[string]string `json:",omitempty"` // that the table is made with
}

// Limits of scheduled queries. How many an account can have is ours.
const (
	mostScheduled   = 1000
	defaultLookback = int64(3600)
)

// scheduler is the service as roles trust it, and as callers pass roles to it.
const scheduler = "logs.amazonaws.com"

func (s *Service) scheduledARN(id string) string { return s.arn("scheduled-query:" + id) }

// scheduledTable is the table of scheduled queries, within a transaction or without.
type scheduledTable interface {
	Get(key string) (ScheduledQuery, bool)
	List(prefix string) iter.Seq2[string, ScheduledQuery]
}

// scheduledIn finds a scheduled query by its ARN or its name.
func (s *Service) scheduledIn(all scheduledTable, identifier *string) (ScheduledQuery, error) {
	name := aws.ToString(identifier)
	if id, ok := strings.CutPrefix(name, s.scheduledARN("")); ok {
		if q, ok := all.Get(id); ok {
			return q, nil
		}
		return ScheduledQuery{}, noScheduled
	}
	for _, q := range all.List("") {
		if q.Name == name {
			return q, nil
		}
	}
	return ScheduledQuery{}, noScheduled
}

var noScheduled = &types.ResourceNotFoundException{Message: aws.String("The specified scheduled query does not exist.")}

func (s *Service) scheduledNamed(identifier *string) (ScheduledQuery, error) {
	return s.scheduledIn(s.scheduled, identifier)
}

// ofScheduled is the ARN that policies match. One that is not there has none: what its
// caller may do with any is asked.
func (s *Service) ofScheduled(identifier *string) []string {
	if q, err := s.scheduledNamed(identifier); err == nil {
		return []string{s.scheduledARN(q.ID)}
	}
	return []string{s.scheduledARN("*")}
}

func unfit(text string) error { return &types.ValidationException{Message: aws.String(text)} }

// given is what an input says of a scheduled query, as far as creating and updating have
// it in common.
func (s *Service) given(in *cloudwatchlogs.UpdateScheduledQueryInput) ScheduledQuery {
	q := ScheduledQuery{
		Description: aws.ToString(in.Description), Query: aws.ToString(in.QueryString), Groups: in.LogGroupIdentifiers,
		Schedule: aws.ToString(in.ScheduleExpression), Zone: aws.ToString(in.Timezone), StartOffset: aws.ToInt64(in.StartTimeOffset), EndOffset: aws.ToInt64(in.EndTimeOffset),
		From: aws.ToInt64(in.ScheduleStartTime), To: aws.ToInt64(in.ScheduleEndTime), Role: aws.ToString(in.ExecutionRoleArn), State: in.State,
	}
	if d := in.DestinationConfiguration; d != nil && d.S3Configuration != nil {
		q.Bucket = &Results{URI: aws.ToString(d.S3Configuration.DestinationIdentifier), Role: aws.ToString(d.S3Configuration.RoleArn), Owner: aws.ToString(d.S3Configuration.OwnerAccountId)}
	}
	if d := in.DestinationConfiguration; d != nil && d.LookupTableConfiguration != nil {
		t := d.LookupTableConfiguration
		q.Bucket = &Results{URI: s.lookupTableARN(t.TableName), Role: aws.ToString(t.RoleArn), Table: aws.ToString(t.TableName), Description: aws.ToString(t.Description), Tags: t.Tags}
	}
	return q
}

// refused says what of an input is not supported.
func refused(in *cloudwatchlogs.UpdateScheduledQueryInput) error {
	if in.QueryLanguage != types.QueryLanguageCwli {
		return unfit("The query language " + string(in.QueryLanguage) + " is not supported: only " + string(types.QueryLanguageCwli) + " is.")
	}
	switch d := in.DestinationConfiguration; {
	case d == nil:
	case (d.LookupTableConfiguration == nil) == (d.S3Configuration == nil):
		return unfit("A destination is a bucket or a lookup table: exactly one of s3Configuration and lookupTableConfiguration must be specified.")
	case d.S3Configuration != nil && d.S3Configuration.KmsKeyId != nil, d.LookupTableConfiguration != nil && d.LookupTableConfiguration.KmsKeyId != nil:
		return unfit("Encryption with a KMS key is not supported.")
	case d.LookupTableConfiguration != nil && !lookupTableName.MatchString(aws.ToString(d.LookupTableConfiguration.TableName)):
		return unfit("The name of a lookup table has letters, digits and underscores: " + aws.ToString(d.LookupTableConfiguration.TableName) + ".")
	}
	return nil
}

// check refuses what can't be run, or not by ctx's caller.
func (s *Service) check(ctx context.Context, q *ScheduledQuery) error {
	if _, err := cron.Parse(q.Schedule); err != nil {
		return unfit("The schedule expression is not valid: " + err.Error() + ".")
	}
	if _, err := zoneOf(q.Zone); err != nil {
		return unfit("The timezone " + q.Zone + " is not known.")
	}
	start, end := q.lookback()
	switch {
	case q.StartOffset < 0 || end < 0 || end >= start:
		return unfit("startTimeOffset and endTimeOffset are seconds before the run: the former must be greater than the latter.")
	case q.From > 0 && q.To > 0 && milliseconds(q.To) <= milliseconds(q.From):
		return unfit("scheduleEndTime must be after scheduleStartTime.")
	}
	parsed, err := insights.Parse(q.Query)
	if err != nil {
		return unfit("The query is not valid: " + err.Error())
	}
	if parsed.Selections()[0].IsDefault() && len(q.Groups) == 0 {
		return unfit("The query must name log groups: by logGroupIdentifiers or the SOURCE command.")
	}
	for i := range q.Groups {
		if _, ok := s.groups.Get(s.named(nil, &q.Groups[i])); !ok {
			return notFound("group")
		}
	}
	if err := s.passScheduled(ctx, q.Role); err != nil || q.Bucket == nil {
		return err
	}
	return s.passScheduled(ctx, q.Bucket.Role)
}

func zoneOf(name string) (*time.Location, error) {
	if name == "Local" {
		name = "no zone of the account"
	}
	return time.LoadLocation(name)
}

// lookback is where the time that a run asks about begins and ends, in seconds before it.
func (q *ScheduledQuery) lookback() (start, end int64) {
	if q.StartOffset == 0 {
		return max(defaultLookback, q.EndOffset+defaultLookback), q.EndOffset
	}
	return q.StartOffset, q.EndOffset
}

// passScheduled refuses a role that the caller may not pass, or that the service can't
// assume.
func (s *Service) passScheduled(ctx context.Context, role string) error {
	if err := s.Roles.CheckPass(ctx, role, scheduler); err != nil {
		return err
	}
	if !s.Roles.Assumable(ctx, role, scheduler) {
		return unfit("Could not assume the role " + role + ": its trust policy must let " + scheduler + ".")
	}
	return nil
}

// CreateScheduledQuery makes a query that runs by the clock.
func (s *Service) CreateScheduledQuery(ctx context.Context, in *cloudwatchlogs.CreateScheduledQueryInput) (*cloudwatchlogs.CreateScheduledQueryOutput, error) {
	same := &cloudwatchlogs.UpdateScheduledQueryInput{
		Description: in.Description, QueryLanguage: in.QueryLanguage, QueryString: in.QueryString, LogGroupIdentifiers: in.LogGroupIdentifiers,
		ScheduleExpression: in.ScheduleExpression, Timezone: in.Timezone, StartTimeOffset: in.StartTimeOffset, EndTimeOffset: in.EndTimeOffset,
		ScheduleStartTime: in.ScheduleStartTime, ScheduleEndTime: in.ScheduleEndTime, ExecutionRoleArn: in.ExecutionRoleArn, State: in.State,
		DestinationConfiguration: in.DestinationConfiguration,
	}
	if err := refused(same); err != nil {
		return nil, err
	}
	q := s.given(same)
	q.ID, q.Name, q.Created, q.Modified, q.Tags = uuid.NewString(), aws.ToString(in.Name), s.ms(), s.ms(), in.Tags
	if q.State == "" {
		q.State = types.ScheduledQueryStateEnabled
	}
	if err := checkTags(nil, in.Tags); err != nil {
		return nil, unfit(err.Error())
	}
	if err := s.check(ctx, &q); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		count := 0
		for _, other := range s.scheduled.In(tx).List("") {
			if count++; other.Name == q.Name {
				return &types.ConflictException{Message: aws.String("A scheduled query with the name " + q.Name + " already exists.")}
			}
		}
		if count >= mostScheduled {
			return &types.ServiceQuotaExceededException{Message: aws.String("An account can have up to 1000 scheduled queries.")}
		}
		s.scheduled.In(tx).Put(q.ID, q)
		return nil
	})
	return &cloudwatchlogs.CreateScheduledQueryOutput{ScheduledQueryArn: aws.String(s.scheduledARN(q.ID)), State: q.State}, err
}

// UpdateScheduledQuery gives a scheduled query all of its settings anew; its state stays
// unless another is given.
func (s *Service) UpdateScheduledQuery(ctx context.Context, in *cloudwatchlogs.UpdateScheduledQueryInput) (*cloudwatchlogs.UpdateScheduledQueryOutput, error) {
	if err := refused(in); err != nil {
		return nil, err
	}
	q := s.given(in)
	if _, err := s.scheduledNamed(in.Identifier); err != nil {
		return nil, err
	}
	if err := s.check(ctx, &q); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		table := s.scheduled.In(tx)
		old, err := s.scheduledIn(table, in.Identifier)
		if err != nil {
			return err
		}
		q.ID, q.Name, q.Created, q.Modified, q.Tags, q.LastRun, q.LastStatus = old.ID, old.Name, old.Created, s.ms(), old.Tags, old.LastRun, old.LastStatus
		if in.State == "" {
			q.State = old.State
		}
		table.Put(q.ID, q)
		return nil
	})
	if err != nil {
		return nil, err
	}
	v := s.scheduledView(&q)
	return &cloudwatchlogs.UpdateScheduledQueryOutput{
		CreationTime: v.CreationTime, Description: v.Description, DestinationConfiguration: v.DestinationConfiguration, EndTimeOffset: v.EndTimeOffset,
		ExecutionRoleArn: v.ExecutionRoleArn, LastExecutionStatus: v.LastExecutionStatus, LastTriggeredTime: v.LastTriggeredTime, LastUpdatedTime: v.LastUpdatedTime,
		LogGroupIdentifiers: v.LogGroupIdentifiers, Name: v.Name, QueryLanguage: v.QueryLanguage, QueryString: v.QueryString, ScheduleEndTime: v.ScheduleEndTime,
		ScheduleExpression: v.ScheduleExpression, ScheduleStartTime: v.ScheduleStartTime, ScheduleType: v.ScheduleType, ScheduledQueryArn: v.ScheduledQueryArn,
		StartTimeOffset: v.StartTimeOffset, State: v.State, Timezone: v.Timezone,
	}, nil
}

// DeleteScheduledQuery deletes a scheduled query and the record of its runs. A run that is
// under way ends by itself.
func (s *Service) DeleteScheduledQuery(ctx context.Context, in *cloudwatchlogs.DeleteScheduledQueryInput) (*cloudwatchlogs.DeleteScheduledQueryOutput, error) {
	return &cloudwatchlogs.DeleteScheduledQueryOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		table := s.scheduled.In(tx)
		q, err := s.scheduledIn(table, in.Identifier)
		if err != nil {
			return err
		}
		table.Delete(q.ID)
		for key := range s.runs.In(tx).List(q.ID + "/") {
			s.runs.In(tx).Delete(key)
		}
		return nil
	})
}

// GetScheduledQuery shows a scheduled query.
func (s *Service) GetScheduledQuery(_ context.Context, in *cloudwatchlogs.GetScheduledQueryInput) (*cloudwatchlogs.GetScheduledQueryOutput, error) {
	q, err := s.scheduledNamed(in.Identifier)
	if err != nil {
		return nil, err
	}
	return s.scheduledView(&q), nil
}

func optional[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

func (s *Service) scheduledView(q *ScheduledQuery) *cloudwatchlogs.GetScheduledQueryOutput {
	v := &cloudwatchlogs.GetScheduledQueryOutput{
		ScheduledQueryArn: aws.String(s.scheduledARN(q.ID)), Name: &q.Name, Description: optional(q.Description), QueryLanguage: types.QueryLanguageCwli, QueryString: &q.Query,
		LogGroupIdentifiers: q.Groups, ScheduleExpression: &q.Schedule, Timezone: optional(q.Zone), StartTimeOffset: optional(q.StartOffset), EndTimeOffset: optional(q.EndOffset),
		ScheduleStartTime: optional(q.From), ScheduleEndTime: optional(q.To), ExecutionRoleArn: &q.Role, State: q.State, ScheduleType: types.ScheduleTypeCustomerManaged,
		CreationTime: &q.Created, LastUpdatedTime: &q.Modified, LastTriggeredTime: optional(q.LastRun), LastExecutionStatus: q.LastStatus,
	}
	switch b := q.Bucket; {
	case b == nil:
	case b.Table != "":
		v.DestinationConfiguration = &types.DestinationConfiguration{LookupTableConfiguration: &types.LookupTableConfiguration{TableName: &b.Table, RoleArn: &b.Role, Description: optional(b.Description), Tags: b.Tags}}
	default:
		v.DestinationConfiguration = &types.DestinationConfiguration{S3Configuration: &types.S3Configuration{DestinationIdentifier: &b.URI, RoleArn: &b.Role, OwnerAccountId: optional(b.Owner)}}
	}
	return v
}

// ListScheduledQueries lists scheduled queries by name. AWS's own, of other services, there
// are none of.
func (s *Service) ListScheduledQueries(_ context.Context, in *cloudwatchlogs.ListScheduledQueriesInput) (*cloudwatchlogs.ListScheduledQueriesOutput, error) {
	var all []ScheduledQuery
	for _, q := range s.scheduled.List("") {
		if (in.State == "" || in.State == q.State) && in.ScheduleType != types.ScheduleTypeAwsManaged {
			all = append(all, q)
		}
	}
	slices.SortFunc(all, func(a, b ScheduledQuery) int { return strings.Compare(a.Name, b.Name) })
	page, next, err := pagedTo(1000, all, in.MaxResults, in.NextToken, func(q ScheduledQuery) string { return q.Name })
	if err != nil {
		return nil, unfit(err.Error())
	}
	out := &cloudwatchlogs.ListScheduledQueriesOutput{ScheduledQueries: []types.ScheduledQuerySummary{}, NextToken: next}
	for _, q := range page {
		v := s.scheduledView(&q)
		out.ScheduledQueries = append(out.ScheduledQueries, types.ScheduledQuerySummary{
			ScheduledQueryArn: v.ScheduledQueryArn, Name: v.Name, State: v.State, ScheduleExpression: v.ScheduleExpression, Timezone: v.Timezone, ScheduleType: v.ScheduleType,
			DestinationConfiguration: v.DestinationConfiguration, CreationTime: v.CreationTime, LastUpdatedTime: v.LastUpdatedTime,
			LastTriggeredTime: v.LastTriggeredTime, LastExecutionStatus: v.LastExecutionStatus,
		})
	}
	return out, nil
}
