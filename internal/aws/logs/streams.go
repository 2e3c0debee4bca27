package logs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/store"
)

// streamKey is a stream's in its table: no group has a colon in its name.
func streamKey(group, name string) string { return group + ":" + name }

// CreateLogStream makes an empty stream.
func (s *Service) CreateLogStream(ctx context.Context, in *cloudwatchlogs.CreateLogStreamInput) (*cloudwatchlogs.CreateLogStreamOutput, error) {
	t := Stream{Group: aws.ToString(in.LogGroupName), Name: aws.ToString(in.LogStreamName), Created: s.ms()}
	if !streamName.MatchString(t.Name) {
		return nil, unmatched(t.Name, "logStreamName", "[^:*]*")
	}
	// What a deleted stream of the name may have left goes first, if a crash kept it.
	s.making.Lock()
	defer s.making.Unlock()
	if _, there := s.streams.Get(streamKey(t.Group, t.Name)); !there {
		if err := s.Events.DeleteStream(t.id()); err != nil {
			return nil, err
		}
	}
	return &cloudwatchlogs.CreateLogStreamOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.groups.In(tx).Get(t.Group); !ok {
			return notFound("group")
		}
		if _, ok := s.streams.In(tx).Get(streamKey(t.Group, t.Name)); ok {
			return exists("stream")
		}
		s.streams.In(tx).Put(streamKey(t.Group, t.Name), t)
		return nil
	})
}

// DeleteLogStream deletes a stream with its events.
func (s *Service) DeleteLogStream(ctx context.Context, in *cloudwatchlogs.DeleteLogStreamInput) (*cloudwatchlogs.DeleteLogStreamOutput, error) {
	group, name := aws.ToString(in.LogGroupName), aws.ToString(in.LogStreamName)
	s.making.Lock()
	defer s.making.Unlock()
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.streams.In(tx).Get(streamKey(group, name)); !ok {
			return notFound("stream")
		}
		s.streams.In(tx).Delete(streamKey(group, name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteLogStreamOutput{}, s.Events.DeleteStream(storage.Stream{Group: group, Name: name})
}

// id is the stream's in the storage.
func (t *Stream) id() storage.Stream { return storage.Stream{Group: t.Group, Name: t.Name} }

// found are a group and one of its streams.
func (s *Service) found(group, name string) (Group, error) {
	g, ok := s.groups.Get(group)
	if !ok {
		return g, notFound("group")
	}
	if _, ok := s.streams.Get(streamKey(group, name)); !ok {
		return g, notFound("stream")
	}
	return g, nil
}

// DescribeLogStreams lists a group's streams, by name or by their last event.
func (s *Service) DescribeLogStreams(_ context.Context, in *cloudwatchlogs.DescribeLogStreamsInput) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	group, byTime := s.named(in.LogGroupName, in.LogGroupIdentifier), in.OrderBy == types.OrderByLastEventTime
	g, ok := s.groups.Get(group)
	switch {
	case !ok:
		return nil, notFound("group")
	case byTime && in.LogStreamNamePrefix != nil:
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	var all []types.LogStream
	for _, t := range s.streams.List(streamKey(group, aws.ToString(in.LogStreamNamePrefix))) {
		view := types.LogStream{
			Arn: aws.String(s.groupARN(group) + ":log-stream:" + t.Name), LogStreamName: aws.String(t.Name), CreationTime: aws.Int64(t.Created),
			UploadSequenceToken: aws.String(sequenceToken),
		}
		//lint:ignore SA1019 AWS still answers with it, with zero
		view.StoredBytes = aws.Int64(0)
		st, err := s.Events.Stats(t.id(), s.oldest(&g))
		if err != nil {
			return nil, err
		}
		if st.Events > 0 {
			view.FirstEventTimestamp, view.LastEventTimestamp, view.LastIngestionTime = &st.First, &st.Last, &st.LastTaken
		}
		all = append(all, view)
	}
	key := func(t types.LogStream) string { return *t.LogStreamName }
	if byTime {
		key = func(t types.LogStream) string {
			return fmt.Sprintf("%020d %s", aws.ToInt64(t.LastEventTimestamp), *t.LogStreamName)
		}
		slices.SortStableFunc(all, func(a, b types.LogStream) int {
			return cmp.Compare(aws.ToInt64(a.LastEventTimestamp), aws.ToInt64(b.LastEventTimestamp))
		})
	}
	if aws.ToBool(in.Descending) {
		slices.Reverse(all)
	}
	page, next, err := paged(all, in.Limit, in.NextToken, key)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DescribeLogStreamsOutput{LogStreams: append([]types.LogStream{}, page...), NextToken: next}, nil
}
