package logs_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// TestPagesOfWhatIsDeleted: who deletes what a page shows gets the next one.
func TestPagesOfWhatIsDeleted(t *testing.T) {
	a, must := open(t), doortest.Must(t)
	for i := range 7 {
		a.group(t, fmt.Sprintf("g%d", i))
	}
	var seen []string
	groups := &cloudwatchlogs.DescribeLogGroupsInput{Limit: aws.Int32(3)}
	for {
		out, err := a.DescribeLogGroups(t.Context(), groups)
		must(out, err)
		for _, g := range out.LogGroups {
			seen = append(seen, *g.LogGroupName)
			must(a.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: g.LogGroupName}))
		}
		if groups.NextToken = out.NextToken; out.NextToken == nil {
			break
		}
	}
	if got := strings.Join(seen, " "); got != "g0 g1 g2 g3 g4 g5 g6" {
		t.Errorf("groups: %s", got)
	}
	a.group(t, "g", "s0", "s1", "s2", "s3", "s4")
	for i, at := range []int{-3, -9, -1, -5} {
		must(a.put("g", fmt.Sprintf("s%d", i), fmt.Sprintf("%d a", at)))
	}
	seen = nil
	streams := &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("g"), Limit: aws.Int32(2), OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)}
	for {
		out, err := a.DescribeLogStreams(t.Context(), streams)
		must(out, err)
		for _, s := range out.LogStreams {
			seen = append(seen, *s.LogStreamName)
			must(a.DeleteLogStream(t.Context(), &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: s.LogStreamName}))
		}
		if streams.NextToken = out.NextToken; out.NextToken == nil {
			break
		}
	}
	if got := strings.Join(seen, " "); got != "s2 s0 s3 s1 s4" {
		t.Errorf("streams, the youngest event first: %s", got)
	}
	for _, bad := range []string{"nonsense", "", "Z2c="} {
		_, err := a.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{NextToken: &bad})
		doortest.Refused(t, err, "InvalidParameterException", "")
	}
}

// TestTokensOfAnEmptyStream: who asks an empty stream for its end is told of what comes.
func TestTokensOfAnEmptyStream(t *testing.T) {
	a, must := open(t), doortest.Must(t)
	a.group(t, "g", "s")
	get := func(token *string) *cloudwatchlogs.GetLogEventsOutput {
		t.Helper()
		out, err := a.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: token, Limit: aws.Int32(2)})
		must(out, err)
		return out
	}
	empty := get(nil)
	if again := get(empty.NextForwardToken); *again.NextForwardToken != *empty.NextForwardToken || len(again.Events) != 0 {
		t.Errorf("the end's token changes: %s, %s", *empty.NextForwardToken, *again.NextForwardToken)
	}
	must(a.put("g", "s", "-9 a", "-8 b", "-7 c"))
	if got := texts(get(empty.NextForwardToken).Events, ofGet); got != "a b" {
		t.Errorf("what came since: %q", got)
	}
	// Beyond the head, too: forwards from there the first event is the first.
	head := get(get(nil).NextBackwardToken)
	beyond := get(head.NextBackwardToken)
	if got := texts(head.Events, ofGet); got != "a" || len(beyond.Events) != 0 || *beyond.NextBackwardToken != *head.NextBackwardToken {
		t.Errorf("backwards there is %q, then %d", got, len(beyond.Events))
	}
	if got := texts(get(beyond.NextForwardToken).Events, ofGet); got != "a b" {
		t.Errorf("from the head on: %q", got)
	}
}

// TestTimesWithoutEnd: the largest times are behind all events.
func TestTimesWithoutEnd(t *testing.T) {
	a, must := open(t), doortest.Must(t)
	a.group(t, "g", "s")
	must(a.put("g", "s", "-9 a", "-8 b"))
	out, err := a.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), EndTime: aws.Int64(math.MaxInt64)})
	if must(out, err); texts(out.Events, ofFilter) != "a b" {
		t.Errorf("filtered: %s", texts(out.Events, ofFilter))
	}
	for _, text := range []string{"stats count(*) as n", "pattern @message | diff | stats sum(@sampleCount) as n"} {
		started, err := a.StartQuery(t.Context(), &cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: &text, StartTime: aws.Int64(0), EndTime: aws.Int64(math.MaxInt64)})
		must(started, err)
		var got *cloudwatchlogs.GetQueryResultsOutput
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			got, err = a.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId})
			if must(got, err); got.Status != types.QueryStatusRunning {
				break
			}
		}
		if rows(got) != "n=2" {
			t.Errorf("%s: %s, %s", text, got.Status, rows(got))
		}
	}
}
