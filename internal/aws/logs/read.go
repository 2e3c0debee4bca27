package logs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// id is an event's, or a place's in a token: 56 digits, as AWS's.
func (p place) id() string { return fmt.Sprintf("%028d%028d", p.at, p.serial) }

func placeOf(id string) (place, bool) {
	if len(id) != 56 {
		return place{}, false
	}
	at, err1 := strconv.ParseInt(id[:28], 10, 64)
	serial, err2 := strconv.ParseInt(id[28:], 10, 64)
	return place{at, serial}, err1 == nil && err2 == nil
}

// since are the entries from a time on.
func since(entries []entry, at int64) []entry {
	return entries[search(entries, place{at, math.MinInt64}):]
}

func search(entries []entry, p place) int {
	at, _ := slices.BinarySearchFunc(entries, p, func(e entry, p place) int { return e.place.compare(p) })
	return at
}

func checkLimit(limit *int32) (int, error) {
	if limit == nil {
		return mostEvents, nil
	}
	if *limit < 1 || *limit > mostEvents {
		return 0, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value between 1 and 10000")
	}
	return int(*limit), nil
}

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
	t := s.shelf.stream(group, name)
	entries, err := t.list()
	if err != nil {
		return nil, err
	}
	entries = since(entries, max(s.oldest(&g), aws.ToInt64(in.StartTime)))
	if in.EndTime != nil {
		entries = entries[:search(entries, place{*in.EndTime, math.MinInt64})]
	}
	forward, at := aws.ToBool(in.StartFromHead), place{math.MaxInt64, math.MaxInt64}
	if forward {
		at = place{}
	}
	if in.NextToken != nil {
		way, id, _ := strings.Cut(strings.TrimSuffix(*in.NextToken, "/s"), "/")
		var ok bool
		if at, ok = placeOf(id); !ok || way != "f" && way != "b" {
			return nil, invalid("The specified nextToken is invalid.")
		}
		forward = way == "f"
	}
	page := cut(entries, at, forward, most)
	texts, err := t.read(page)
	if err != nil {
		return nil, err
	}
	first, last := at, at
	out := &cloudwatchlogs.GetLogEventsOutput{Events: []types.OutputLogEvent{}}
	for i, e := range page {
		out.Events = append(out.Events, types.OutputLogEvent{Timestamp: aws.Int64(e.at), IngestionTime: aws.Int64(e.taken), Message: aws.String(texts[i])})
	}
	if len(page) > 0 {
		first, last = page[0].place, page[len(page)-1].place
	}
	out.NextForwardToken, out.NextBackwardToken = aws.String("f/"+last.id()+"/s"), aws.String("b/"+first.id()+"/s")
	return out, nil
}

// cut takes a page that begins behind a place, or ends before it.
func cut(entries []entry, at place, forward bool, most int) []entry {
	size := 0
	fits := func(e entry) bool {
		size += int(e.size) + eventOverhead
		return size <= mostBytes
	}
	if forward {
		from := search(entries, place{at.at, at.serial})
		if from < len(entries) && entries[from].place == at {
			from++
		}
		to := from
		for to < len(entries) && to-from < most && fits(entries[to]) {
			to++
		}
		return entries[from:to]
	}
	to := search(entries, at)
	from := to
	for from > 0 && to-from < most && fits(entries[from-1]) {
		from--
	}
	return entries[from:to]
}

// FilterLogEvents reads a page of several streams' events, by time, that a pattern
// matches.
func (s *Service) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	group := s.named(in.LogGroupName, in.LogGroupIdentifier)
	g, ok := s.groups.Get(group)
	if !ok {
		return nil, notFound("group")
	}
	most, err := checkLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	match, err := parsePattern(aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	if in.LogStreamNamePrefix != nil && len(in.LogStreamNames) > 0 {
		return nil, invalid("Only one of logStreamNamePrefix and logStreamNames can be specified.")
	}
	if in.StartFromHead != nil && !*in.StartFromHead {
		return nil, invalid("Reading from the tail is not supported.")
	}
	after := place{}
	if in.NextToken != nil {
		if after, ok = placeOf(*in.NextToken); !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	merged, err := s.merge(group, in, max(s.oldest(&g), aws.ToInt64(in.StartTime)), after)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{Events: []types.FilteredLogEvent{}, SearchedLogStreams: []types.SearchedLogStream{}}
	size := 0
	for i, e := range merged {
		texts, err := s.shelf.stream(group, e.stream).read([]entry{e.entry})
		if err != nil {
			return nil, err
		}
		if !match(texts[0]) {
			continue
		}
		if size += len(texts[0]) + eventOverhead; len(out.Events) == most || size > mostBytes {
			out.NextToken = aws.String(merged[i-1].id())
			break
		}
		out.Events = append(out.Events, types.FilteredLogEvent{
			EventId: aws.String(e.id()), LogStreamName: aws.String(e.stream), Timestamp: aws.Int64(e.at), IngestionTime: aws.Int64(e.taken), Message: aws.String(texts[0]),
		})
	}
	return out, nil
}

// streamEntry is an entry with its stream.
type streamEntry struct {
	entry
	stream string
}

// merge lists the entries of the streams asked for, from a time on and behind a
// place, in order.
func (s *Service) merge(group string, in *cloudwatchlogs.FilterLogEventsInput, from int64, after place) (all []streamEntry, err error) {
	for _, name := range in.LogStreamNames {
		if _, err := s.found(group, name); err != nil {
			return nil, err
		}
	}
	for _, t := range s.streams.List(streamKey(group, aws.ToString(in.LogStreamNamePrefix))) {
		if len(in.LogStreamNames) > 0 && !slices.Contains(in.LogStreamNames, t.Name) {
			continue
		}
		entries, err := s.shelf.stream(group, t.Name).list()
		if err != nil {
			return nil, err
		}
		for _, e := range since(entries, from) {
			if (in.EndTime == nil || e.at <= *in.EndTime) && e.place.compare(after) > 0 {
				all = append(all, streamEntry{e, t.Name})
			}
		}
	}
	slices.SortFunc(all, func(a, b streamEntry) int { return a.place.compare(b.place) })
	return all, nil
}

// parsePattern reads a filter pattern of plain terms, all of which a message must
// hold. Other forms are refused.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func parsePattern(pattern string) (func(string) bool, error) {
	var terms []string
	for rest := strings.TrimSpace(pattern); rest != ""; rest = strings.TrimSpace(rest) {
		var term string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			if term, rest, ok = strings.Cut(quoted, `"`); !ok {
				return nil, invalid("Invalid filter pattern")
			}
		} else {
			term, rest, _ = strings.Cut(rest, " ")
			if strings.ContainsFunc(term, func(r rune) bool {
				return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
			}) {
				return nil, invalid("The filter pattern " + pattern + " is not supported: only terms and quoted phrases are.")
			}
		}
		terms = append(terms, term)
	}
	return func(text string) bool {
		for _, t := range terms {
			if !strings.Contains(text, t) {
				return false
			}
		}
		return true
	}, nil
}
