package cloudwatch

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Topics are SNS's (package aws/sns).
type Topics interface {
	// Publish sends a message to a topic, for the alarm of that ARN: the topic's policy
	// must let cloudwatch.amazonaws.com publish.
	Publish(ctx context.Context, topic, subject, message, alarm string) error
}

// Deps is what a Service is made of.
type Deps struct {
	Store *store.Store
	Place api.Place
	Dir   string // of the metrics' journal
	Now   func() time.Time
	Log   *slog.Logger
	// Changed is told of each change of an alarm's state, after it was written, in order.
	// Nil: nobody is.
	Changed func(StateChange)
}

// Service is CloudWatch of one account.
type Service struct {
	Deps
	topics  Topics
	shelf   *shelf
	alarms  *store.Table[Alarm]
	history *store.Table[Item]

	watch watch
	wake  chan struct{}
	mu    sync.Mutex
	fresh map[string]bool // keys of metrics with data that no alarm has looked at
	asked map[string]bool // names of alarms to be evaluated as a whole
}

// New makes the service and reads its metrics. Its tables are registered in d.Store,
// which is loaded afterwards.
func New(d Deps) (*Service, error) {
	shelf, err := openJournal(d.Dir)
	if err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		Deps: d, shelf: shelf, alarms: store.NewTable[Alarm](d.Store, "cloudwatch/alarm"), history: store.NewTable[Item](d.Store, "cloudwatch/history"),
		wake: make(chan struct{}, 1), fresh: map[string]bool{}, asked: map[string]bool{},
	}
	s.watch.follow(s.alarms)
	return s, nil
}

// UseTopics says where actions publish to. It is called before Run.
func (s *Service) UseTopics(t Topics) { s.topics = t }

// Close ends the journal. Run has ended before.
func (s *Service) Close() error { return s.shelf.close() }

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "cloudwatch", Action: "cloudwatch", Resource: s.ofResource}
	api.Add(svc, "PutMetricData", s.PutMetricData, nil)
	api.Add(svc, "GetMetricData", s.GetMetricData, nil)
	api.Add(svc, "GetMetricStatistics", s.GetMetricStatistics, nil)
	api.Add(svc, "ListMetrics", s.ListMetrics, nil)
	api.Add(svc, "PutMetricAlarm", s.PutMetricAlarm, func(_ context.Context, in *cloudwatch.PutMetricAlarmInput) []string {
		return s.named(in.AlarmName)
	})
	api.Add(svc, "PutCompositeAlarm", s.PutCompositeAlarm, func(_ context.Context, in *cloudwatch.PutCompositeAlarmInput) []string {
		return s.named(in.AlarmName)
	})
	api.Add(svc, "DescribeAlarms", s.DescribeAlarms, func(_ context.Context, in *cloudwatch.DescribeAlarmsInput) []string {
		return s.allNamed(in.AlarmNames)
	})
	api.Add(svc, "DescribeAlarmsForMetric", s.DescribeAlarmsForMetric, nil)
	api.Add(svc, "DescribeAlarmHistory", s.DescribeAlarmHistory, func(_ context.Context, in *cloudwatch.DescribeAlarmHistoryInput) []string {
		if in.AlarmName == nil {
			return s.allNamed(nil)
		}
		return s.named(in.AlarmName)
	})
	api.Add(svc, "SetAlarmState", s.SetAlarmState, func(_ context.Context, in *cloudwatch.SetAlarmStateInput) []string {
		return s.named(in.AlarmName)
	})
	api.Add(svc, "EnableAlarmActions", s.EnableAlarmActions, func(_ context.Context, in *cloudwatch.EnableAlarmActionsInput) []string {
		return s.allNamed(in.AlarmNames)
	})
	api.Add(svc, "DisableAlarmActions", s.DisableAlarmActions, func(_ context.Context, in *cloudwatch.DisableAlarmActionsInput) []string {
		return s.allNamed(in.AlarmNames)
	})
	api.Add(svc, "DeleteAlarms", s.DeleteAlarms, func(_ context.Context, in *cloudwatch.DeleteAlarmsInput) []string {
		return s.allNamed(in.AlarmNames)
	})
	api.Add(svc, "TagResource", s.TagResource, func(_ context.Context, in *cloudwatch.TagResourceInput) []string { return ofARN(in.ResourceARN) })
	api.Add(svc, "UntagResource", s.UntagResource, func(_ context.Context, in *cloudwatch.UntagResourceInput) []string { return ofARN(in.ResourceARN) })
	api.Add(svc, "ListTagsForResource", s.ListTagsForResource, func(_ context.Context, in *cloudwatch.ListTagsForResourceInput) []string {
		return ofARN(in.ResourceARN)
	})
	addKeys(svc)
	for _, name := range []string{"PutMetricData", "GetMetricData"} {
		op := svc.Operations[name]
		op.Data = true // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/logging_cw_api_calls.html
		svc.Operations[name] = op
	}
	return svc
}

// addKeys registers CloudWatch's own condition keys.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html#amazoncloudwatch-policy-keys
func addKeys(svc *api.Service) {
	api.WithKeys(svc, "PutMetricData", func(_ context.Context, in *cloudwatch.PutMetricDataInput, key string) policy.Values {
		if key != "cloudwatch:namespace" || in.Namespace == nil {
			return policy.Values{}
		}
		return policy.One(*in.Namespace)
	})
	actions := func(key string, lists ...[]string) policy.Values {
		if key != "cloudwatch:alarmactions" {
			return policy.Values{}
		}
		var all []string
		for _, l := range lists {
			all = append(all, l...)
		}
		return policy.Many(all)
	}
	api.WithKeys(svc, "PutMetricAlarm", func(_ context.Context, in *cloudwatch.PutMetricAlarmInput, key string) policy.Values {
		return actions(key, in.AlarmActions, in.OKActions, in.InsufficientDataActions)
	})
	api.WithKeys(svc, "PutCompositeAlarm", func(_ context.Context, in *cloudwatch.PutCompositeAlarmInput, key string) policy.Values {
		return actions(key, in.AlarmActions, in.OKActions, in.InsufficientDataActions)
	})
}

// arn is an alarm's.
func (s *Service) arn(name string) string {
	return "arn:" + s.Place.Partition + ":cloudwatch:" + s.Place.Region + ":" + s.Place.AccountID + ":alarm:" + name
}

func (s *Service) named(name *string) []string {
	if name == nil {
		return nil
	}
	return []string{s.arn(*name)}
}

// allNamed are the ARNs of alarms, or of all.
func (s *Service) allNamed(names []string) []string {
	if len(names) == 0 {
		return []string{s.arn("*")}
	}
	var out []string
	for _, n := range names {
		out = append(out, s.arn(n))
	}
	return out
}

func ofARN(arn *string) []string {
	if arn == nil {
		return nil
	}
	return []string{*arn}
}

// alarmName is the name in an alarm's ARN of this account, or what isn't one.
func (s *Service) alarmName(of string) string { return strings.TrimPrefix(of, s.arn("")) }

// ofResource answers for the condition keys of an alarm: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, isTag := strings.CutPrefix(key, "aws:resourcetag/")
	name, ours := strings.CutPrefix(arn, s.arn(""))
	if !isTag || !ours {
		return policy.Values{}
	}
	a, _ := s.alarms.Get(name)
	return api.TagValue(a.Tags, tag)
}
