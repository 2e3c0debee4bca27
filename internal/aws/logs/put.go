package logs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/logs/storage"
)

// Limits of PutLogEvents.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const (
	mostEvents    = 10_000
	mostBytes     = 1 << 20 // of a batch, or a page; and of an event
	eventOverhead = 26      // bytes that each event counts beside its message

	widest = 24 * time.Hour      // from the first event of a batch to the last
	ahead  = 2 * time.Hour       // how far in the future an event may be
	behind = 14 * 24 * time.Hour // how far in the past
)

// sequenceToken is what PutLogEvents has answered since it asks for none.
const sequenceToken = "49640000000000000000000000000000000000000000000000000000"

// PutLogEvents adds a batch of events to a stream. Those too old or too new are
// left out and told of.
func (s *Service) PutLogEvents(ctx context.Context, in *cloudwatchlogs.PutLogEventsInput) (*cloudwatchlogs.PutLogEventsOutput, error) {
	group, name := aws.ToString(in.LogGroupName), aws.ToString(in.LogStreamName)
	if err := checkBatch(in.LogEvents); err != nil {
		return nil, err
	}
	g, err := s.found(group, name)
	if err != nil {
		return nil, err
	}
	oldest := s.oldest(&g)
	taken, rejected := s.choose(in.LogEvents, oldest)
	out := &cloudwatchlogs.PutLogEventsOutput{NextSequenceToken: aws.String(sequenceToken), RejectedLogEventsInfo: rejected}
	if in.Entity != nil {
		out.RejectedEntityInfo = &types.RejectedEntityInfo{ErrorType: types.EntityRejectionErrorTypeUnsupportedLogGroupType}
	}
	if len(taken) == 0 {
		return out, nil
	}
	return out, s.take(ctx, storage.Stream{Group: group, Name: name}, taken, "")
}

// take keeps events and tells those who wait for some.
func (s *Service) take(ctx context.Context, id storage.Stream, events []storage.Event, mark string) error {
	now := s.ms()
	for i := range events {
		events[i].Stream, events[i].Taken = id.Name, now
	}
	if err := s.Events.Append(id, events, mark); err != nil {
		// A full disk, most likely: clients try again.
		s.Log.Error("log events can't be kept", "group", id.Group, "stream", id.Name, "error", err)
		return &types.ServiceUnavailableException{Message: aws.String("The log events can't be stored at the moment. Please try again.")}
	}
	s.meter.take(id.Group, events)
	s.tails.take(id, events)
	s.senders.tell(id.Group)
	return nil
}

func checkBatch(events []types.InputLogEvent) error {
	if len(events) < 1 || len(events) > mostEvents {
		return invalid("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length between 1 and 10000")
	}
	size := 0
	for i, e := range events {
		if e.Message == nil || e.Timestamp == nil || *e.Message == "" || *e.Timestamp < 0 {
			return invalid("1 validation error detected: an event has no message or no valid timestamp")
		}
		if len(*e.Message)+eventOverhead > mostBytes {
			return invalid("Log event too large: the limit is 1048576 bytes")
		}
		if i > 0 && *e.Timestamp < *events[i-1].Timestamp {
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		size += len(*e.Message) + eventOverhead
	}
	switch {
	case size > mostBytes:
		return invalid("Upload too large: the limit is 1048576 bytes")
	case *events[len(events)-1].Timestamp-*events[0].Timestamp > widest.Milliseconds():
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// choose takes the events of a batch whose time is acceptable. As they are in order,
// the others are at its ends.
func (s *Service) choose(events []types.InputLogEvent, oldest int64) (taken []storage.Event, rejected *types.RejectedLogEventsInfo) {
	now := s.ms()
	note := func() *types.RejectedLogEventsInfo {
		if rejected == nil {
			rejected = &types.RejectedLogEventsInfo{}
		}
		return rejected
	}
	for i, e := range events {
		switch at := *e.Timestamp; {
		case at < now-behind.Milliseconds():
			note().TooOldLogEventEndIndex = aws.Int32(int32(i + 1))
		case at < oldest:
			note().ExpiredLogEventEndIndex = aws.Int32(int32(i + 1))
		case at > now+ahead.Milliseconds():
			if note().TooNewLogEventStartIndex == nil {
				rejected.TooNewLogEventStartIndex = aws.Int32(int32(i))
			}
		default:
			taken = append(taken, storage.Event{Place: storage.Place{At: at}, Message: *e.Message})
		}
	}
	return taken, rejected
}
