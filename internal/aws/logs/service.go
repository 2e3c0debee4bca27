package logs

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Group is a log group.
type Group struct {
	Name      string
	Created   int64 // ms since 1970
	Retention int32 // days; 0 for ever
	Tags      map[string]string
}

// Stream is a log stream.
type Stream struct {
	Group, Name string
	Created     int64 // ms since 1970
}

// Deps is what a Service is made of.
type Deps struct {
	Store  *store.Store
	Place  api.Place
	Events storage.Storage
	Now    func() time.Time
	Log    *slog.Logger
}

// Service is CloudWatch Logs of one account.
type Service struct {
	Deps
	groups  *store.Table[Group]
	streams *store.Table[Stream]
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		Deps:   d,
		groups: store.NewTable[Group](d.Store, "logs/group"), streams: store.NewTable[Stream](d.Store, "logs/stream"),
	}
}

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "cloudwatchlogs", Action: "logs", Resource: s.ofResource}
	api.Add(svc, "CreateLogGroup", s.CreateLogGroup, func(_ context.Context, in *cloudwatchlogs.CreateLogGroupInput) []string {
		return s.ofGroup(in.LogGroupName, nil)
	})
	api.WithNeeds(svc, "CreateLogGroup", func(_ context.Context, in *cloudwatchlogs.CreateLogGroupInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "logs:TagResource", Resources: s.ofGroup(in.LogGroupName, nil)}}
	})
	api.Add(svc, "DeleteLogGroup", s.DeleteLogGroup, func(_ context.Context, in *cloudwatchlogs.DeleteLogGroupInput) []string {
		return s.ofGroup(in.LogGroupName, nil)
	})
	api.Add(svc, "DescribeLogGroups", s.DescribeLogGroups, func(context.Context, *cloudwatchlogs.DescribeLogGroupsInput) []string {
		return []string{s.groupARN(":log-stream:")}
	})
	api.Add(svc, "PutRetentionPolicy", s.PutRetentionPolicy, func(_ context.Context, in *cloudwatchlogs.PutRetentionPolicyInput) []string {
		return s.ofGroup(in.LogGroupName, nil)
	})
	api.Add(svc, "DeleteRetentionPolicy", s.DeleteRetentionPolicy, func(_ context.Context, in *cloudwatchlogs.DeleteRetentionPolicyInput) []string {
		return s.ofGroup(in.LogGroupName, nil)
	})
	api.Add(svc, "CreateLogStream", s.CreateLogStream, func(_ context.Context, in *cloudwatchlogs.CreateLogStreamInput) []string {
		return s.ofStream(in.LogGroupName, nil, in.LogStreamName)
	})
	api.Add(svc, "DeleteLogStream", s.DeleteLogStream, func(_ context.Context, in *cloudwatchlogs.DeleteLogStreamInput) []string {
		return s.ofStream(in.LogGroupName, nil, in.LogStreamName)
	})
	api.Add(svc, "DescribeLogStreams", s.DescribeLogStreams, func(_ context.Context, in *cloudwatchlogs.DescribeLogStreamsInput) []string {
		return s.ofGroup(in.LogGroupName, in.LogGroupIdentifier)
	})
	api.Add(svc, "PutLogEvents", s.PutLogEvents, func(_ context.Context, in *cloudwatchlogs.PutLogEventsInput) []string {
		return s.ofStream(in.LogGroupName, nil, in.LogStreamName)
	})
	api.Add(svc, "GetLogEvents", s.GetLogEvents, func(_ context.Context, in *cloudwatchlogs.GetLogEventsInput) []string {
		return s.ofStream(in.LogGroupName, in.LogGroupIdentifier, in.LogStreamName)
	})
	api.Add(svc, "FilterLogEvents", s.FilterLogEvents, func(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput) []string {
		return s.ofGroup(in.LogGroupName, in.LogGroupIdentifier)
	})
	return svc
}

func (s *Service) groupARN(name string) string {
	return "arn:" + s.Place.Partition + ":logs:" + s.Place.Region + ":" + s.Place.AccountID + ":log-group:" + name
}

// ofGroup and ofStream are the ARNs that policies match. A group's is that of a
// stream without a name, as AWS's refusals show it: policies write "NAME:*".
func (s *Service) ofGroup(name, identifier *string) []string {
	return []string{s.groupARN(s.named(name, identifier)) + ":log-stream:"}
}

func (s *Service) ofStream(name, identifier, stream *string) []string {
	return []string{s.groupARN(s.named(name, identifier)) + ":log-stream:" + aws.ToString(stream)}
}

// named is the group's name, which may be given by its ARN.
func (s *Service) named(name, identifier *string) string {
	if name != nil {
		return *name
	}
	return strings.TrimPrefix(strings.TrimSuffix(aws.ToString(identifier), ":*"), s.groupARN(""))
}

func (s *Service) ofResource(arn, key string) policy.Values {
	rest, ok := strings.CutPrefix(arn, s.groupARN(""))
	tag, isTag := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok || !isTag {
		return policy.Values{}
	}
	name, _, _ := strings.Cut(rest, ":")
	g, _ := s.groups.Get(name)
	return api.TagValue(g.Tags, tag)
}

var (
	groupName  = regexp.MustCompile(`^[\.\-_/#A-Za-z0-9]{1,512}$`)
	streamName = regexp.MustCompile(`^[^:*]{1,512}$`)
)

func notFound(what string) error {
	return &types.ResourceNotFoundException{Message: aws.String("The specified log " + what + " does not exist.")}
}

func exists(what string) error {
	return &types.ResourceAlreadyExistsException{Message: aws.String("The specified log " + what + " already exists")}
}

func invalid(text string) error {
	return &types.InvalidParameterException{Message: aws.String(text)}
}

// unmatched is AWS's text for a member outside of its model's pattern.
func unmatched(value, member, pattern string) error {
	return invalid("1 validation error detected: Value '" + value + "' at '" + member + "' failed to satisfy constraint: Member must satisfy regular expression pattern: " + pattern)
}

func (s *Service) ms() int64 { return s.Now().UnixMilli() }

// CreateLogGroup makes a group of the standard class.
func (s *Service) CreateLogGroup(ctx context.Context, in *cloudwatchlogs.CreateLogGroupInput) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	g := Group{Name: aws.ToString(in.LogGroupName), Created: s.ms(), Tags: in.Tags}
	switch {
	case !groupName.MatchString(g.Name):
		return nil, unmatched(g.Name, "logGroupName", `[\.\-_/#A-Za-z0-9]+`)
	case strings.HasPrefix(g.Name, "aws/"):
		return nil, invalid("Log groups starting with aws/ are reserved for AWS.")
	case in.KmsKeyId != nil:
		return nil, invalid("Encryption with a KMS key is not supported.")
	case in.LogGroupClass != "" && in.LogGroupClass != types.LogGroupClassStandard:
		return nil, invalid("The log group class " + string(in.LogGroupClass) + " is not supported.")
	case aws.ToBool(in.DeletionProtectionEnabled):
		return nil, invalid("Deletion protection is not supported.")
	case len(in.Tags) > 50:
		return nil, invalid("A log group can have up to 50 tags.")
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
	var gone []string
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		gone = nil
		if _, ok := s.groups.In(tx).Get(name); !ok {
			return notFound("group")
		}
		s.groups.In(tx).Delete(name)
		for key, t := range s.streams.In(tx).List(streamKey(name, "")) {
			s.streams.In(tx).Delete(key)
			gone = append(gone, t.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, t := range gone {
		if err := s.Events.Delete(storage.Stream{Group: name, Name: t}); err != nil {
			return nil, err
		}
	}
	return &cloudwatchlogs.DeleteLogGroupOutput{}, nil
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
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		g, ok := s.groups.In(tx).Get(aws.ToString(name))
		if !ok {
			return notFound("group")
		}
		g.Retention = days
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
