package logs

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/engine/filter"
)

func checkLimit(limit *int32) (int, error) {
	if limit == nil {
		return mostEvents, nil
	}
	if *limit < 1 || *limit > mostEvents {
		return 0, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value between 1 and 10000")
	}
	return int(*limit), nil
}

var errToken = invalid("The specified nextToken is invalid.")

// GetLogEvents reads a page of a stream, forwards or backwards. The end of the
// stream is where a token is answered by itself.
func (s *Service) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error) {
	group, name := s.named(in.LogGroupName, in.LogGroupIdentifier), aws.ToString(in.LogStreamName)
	most, err := checkLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	g, err := s.found(group, name)
	if err != nil {
		return nil, err
	}
	q := storage.Query{Group: group, Streams: []string{name}, From: storage.From(max(s.oldest(&g), aws.ToInt64(in.StartTime))), To: storage.Last}
	if in.EndTime != nil {
		q.To = storage.From(*in.EndTime)
	}
	at := storage.Last
	if q.Backward = !aws.ToBool(in.StartFromHead); !q.Backward {
		at = storage.First
	}
	if in.NextToken != nil {
		way, id, _ := strings.Cut(strings.TrimSuffix(*in.NextToken, "/s"), "/")
		var ok bool
		if at, ok = storage.ParseID(id); !ok || way != "f" && way != "b" {
			return nil, errToken
		}
		q.Backward = way == "b"
		if q.Backward {
			q.To = lesser(q.To, at)
		} else if next := at.After(); q.From.Compare(next) < 0 {
			q.From = next
		}
	}
	page, err := s.page(q, most)
	if err != nil {
		return nil, err
	}
	if q.Backward {
		slices.Reverse(page)
	}
	first, last := at, at
	switch {
	case len(page) > 0:
		first, last = page[0].Place, page[len(page)-1].Place
	case q.Backward && at == storage.Last: // what comes is ahead
		last = storage.First
	case q.Backward:
		last = at.Before()
	}
	out := &cloudwatchlogs.GetLogEventsOutput{
		Events: []types.OutputLogEvent{}, NextForwardToken: aws.String("f/" + last.ID() + "/s"), NextBackwardToken: aws.String("b/" + first.ID() + "/s"),
	}
	for _, e := range page {
		out.Events = append(out.Events, types.OutputLogEvent{Timestamp: aws.Int64(e.At), IngestionTime: aws.Int64(e.Taken), Message: aws.String(shown(e.Message))})
	}
	return out, nil
}

func lesser(a, b storage.Place) storage.Place {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}

// shown is a message as JSON can hold it.
func shown(message string) string { return strings.ToValidUTF8(message, "\uFFFD") }

// page takes as many events as one answer holds.
func (s *Service) page(q storage.Query, most int) (page []storage.Event, err error) {
	size := 0
	for e, err := range s.Events.Read(q) {
		if err != nil {
			return nil, err
		}
		if size += len(e.Message) + eventOverhead; len(page) == most || size > mostBytes {
			break
		}
		page = append(page, e)
	}
	return page, nil
}

// What one call of FilterLogEvents looks at is bounded, in bytes of messages that it reads
// and in time: a page may be empty and yet not the last.
const (
	mostSearched  = 64 << 20
	longestSearch = 5 * time.Second
)

// FilterLogEvents reads a page of several streams' events, by time, that a pattern
// matches.
func (s *Service) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	group := s.named(in.LogGroupName, in.LogGroupIdentifier)
	g, ok := s.groups.Get(group)
	if !ok {
		return nil, notFound("group")
	}
	most, err := checkLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	pattern, err := readPattern(aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	q := storage.Query{Group: group, From: storage.From(max(s.oldest(&g), aws.ToInt64(in.StartTime))), To: storage.Last}
	q.Backward = in.StartFromHead != nil && !*in.StartFromHead
	if in.EndTime != nil && *in.EndTime < math.MaxInt64 {
		q.To = storage.From(*in.EndTime + 1)
	}
	if q.Streams, err = s.chosen(group, in.LogStreamNames, in.LogStreamNamePrefix); err != nil {
		return nil, err
	}
	if in.NextToken != nil {
		at, ok := storage.ParseID(*in.NextToken)
		switch {
		case !ok:
			return nil, errToken
		case q.Backward:
			q.To = lesser(q.To, at)
		case q.From.Compare(at.After()) < 0:
			q.From = at.After()
		}
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{Events: []types.FilteredLogEvent{}, SearchedLogStreams: []types.SearchedLogStream{}}
	size, searched, last := 0, 0, storage.Place{}
	began := time.Now()
	q.May = pattern.May()
	q.Passed = func(next storage.Place) bool {
		if ctx.Err() == nil && time.Since(began) < longestSearch {
			return true
		}
		if last = next.Before(); q.Backward {
			last = next.After()
		}
		out.NextToken = aws.String(last.ID())
		return false
	}
	for e, err := range s.Events.Read(q) {
		if err != nil {
			return nil, err
		}
		if searched > mostSearched || ctx.Err() != nil {
			out.NextToken = aws.String(last.ID())
			break
		}
		if pattern.Match(e.Message) {
			if size += len(e.Message) + eventOverhead; len(out.Events) == most || size > mostBytes {
				out.NextToken = aws.String(last.ID())
				break
			}
			out.Events = append(out.Events, filtered(e))
		}
		searched, last = searched+len(e.Message), e.Place
	}
	return out, nil
}

func filtered(e storage.Event) types.FilteredLogEvent {
	return types.FilteredLogEvent{
		EventId: aws.String(e.ID()), LogStreamName: aws.String(e.Stream), Timestamp: aws.Int64(e.At), IngestionTime: aws.Int64(e.Taken), Message: aws.String(shown(e.Message)),
	}
}

// chosen are a group's streams: those named, those whose names begin so, or all.
func (s *Service) chosen(group string, names []string, prefix *string) (all []string, err error) {
	if prefix != nil && len(names) > 0 {
		return nil, invalid("Only one of logStreamNamePrefix and logStreamNames can be specified.")
	}
	if len(names) > 100 {
		return nil, invalid("1 validation error detected: Value at 'logStreamNames' failed to satisfy constraint: Member must have length less than or equal to 100")
	}
	for _, name := range names {
		if _, err := s.found(group, name); err != nil {
			return nil, err
		}
	}
	if len(names) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(names))), nil
	}
	for _, t := range s.streams.List(streamKey(group, aws.ToString(prefix))) {
		all = append(all, t.Name)
	}
	return all, nil
}

// readPattern reads a filter pattern of a search.
func readPattern(text string) (*filter.Pattern, error) {
	p, err := filter.Parse(text)
	if err != nil {
		return nil, invalid("Invalid filter pattern: " + err.Error())
	}
	return p, nil
}
