package logs_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/aws/doortest"
	ours "github.com/eksact/eksact/internal/aws/logs"
	"github.com/eksact/eksact/internal/aws/s3"
)

// account is the service behind a real front door, with a clock that the test
// turns.
type account struct {
	damage error     // of a part of the events
	gate   chan bool // lets queries go on, batch by batch
	// deletes is called before the storage deletes a stream.
	deletes func()
	*doortest.Account
	*cloudwatchlogs.Client
	service *ours.Service
	door    *doortest.Door
	now     time.Time

	mu        sync.Mutex
	points    []ours.MetricPoint
	published []string // to topics
	closed    bool     // topics are: nothing can be published
}

// PublishAs implements ours.Topics.
func (a *account) PublishAs(_ context.Context, service, source, topic, text string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || service != "logs.us-west-2.amazonaws.com" || !strings.HasPrefix(source, arns+"log-group:") {
		return errors.New("not authorized")
	}
	a.published = append(a.published, topic+" "+text)
	return nil
}

func (a *account) clock() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// turn turns the clock forward while the service looks at it.
func (a *account) turn(by time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = a.now.Add(by)
}

func open(t *testing.T) *account {
	t.Helper()
	a := &account{Account: doortest.New(t), now: time.Now().UTC().Truncate(time.Millisecond)}
	buckets, err := s3.New(s3.Config{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: a.IAM})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(buckets.Close)
	a.service = ours.New(ours.Deps{
		Store: a.Store, Place: doortest.Place, Events: damaged{doortest.Events(t), a}, Dir: t.TempDir(), Roles: a.IAM, Buckets: buckets, Topics: a, Sessions: a.STS, Now: a.clock,
		Reaches: func(u *url.URL) error {
			if strings.HasPrefix(u.Hostname(), "10.") {
				return errors.New(u.Hostname() + " is not asked")
			}
			return nil
		},
		Metrics: func(points []ours.MetricPoint) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.points = append(a.points, points...)
		},
	})
	a.door = a.Open(t, a.service.Service(), buckets.Service())
	a.service.UseDoor(a.door.Handler)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { a.service.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	a.Client = cloudwatchlogs.NewFromConfig(a.door.Admin)
	return a
}

func (a *account) group(t *testing.T, name string, streams ...string) {
	t.Helper()
	must := doortest.Must(t)
	must(a.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name}))
	for _, s := range streams {
		must(a.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &name, LogStreamName: &s}))
	}
}

// put adds messages, each so many seconds from now: "-3 text".
func (a *account) put(group, stream string, messages ...string) (*cloudwatchlogs.PutLogEventsOutput, error) {
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream}
	for _, m := range messages {
		var seconds int64
		number, text, _ := strings.Cut(m, " ")
		fmt.Sscan(number, &seconds)
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(a.now.UnixMilli() + 1000*seconds), Message: aws.String(text)})
	}
	return a.PutLogEvents(context.Background(), in)
}

func texts[T any](events []T, message func(T) *string) string {
	var all []string
	for _, e := range events {
		all = append(all, *message(e))
	}
	return strings.Join(all, " ")
}

func ofGet(e types.OutputLogEvent) *string      { return e.Message }
func ofFilter(e types.FilteredLogEvent) *string { return e.Message }

func TestReadingPages(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	doortest.Must(t)(a.put("g", "s", "-9 a", "-8 b", "-7 c", "-6 d"))
	doortest.Must(t)(a.put("g", "s", "-8 e")) // older than what is there
	get := func(change func(*cloudwatchlogs.GetLogEventsInput)) *cloudwatchlogs.GetLogEventsOutput {
		t.Helper()
		in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), Limit: aws.Int32(2)}
		change(in)
		out, err := a.GetLogEvents(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	// From the head, to the end, where the token stays.
	var token *string
	var pages []string
	for {
		out := get(func(in *cloudwatchlogs.GetLogEventsInput) { in.StartFromHead, in.NextToken = aws.Bool(true), token })
		pages = append(pages, texts(out.Events, ofGet))
		if token != nil && *token == *out.NextForwardToken {
			break
		}
		token = out.NextForwardToken
	}
	if d := cmp.Diff([]string{"a b", "e c", "d", ""}, pages); d != "" {
		t.Error(d)
	}
	// The newest first, then backwards.
	out := get(func(*cloudwatchlogs.GetLogEventsInput) {})
	before := get(func(in *cloudwatchlogs.GetLogEventsInput) { in.NextToken = out.NextBackwardToken })
	if got := texts(out.Events, ofGet) + ", " + texts(before.Events, ofGet); got != "c d, b e" {
		t.Errorf("backwards: %s", got)
	}
	// Start is part of the time asked for, end is not.
	at := func(s int64) *int64 { return aws.Int64(a.now.UnixMilli() + 1000*s) }
	between := get(func(in *cloudwatchlogs.GetLogEventsInput) { in.StartTime, in.EndTime, in.Limit = at(-8), at(-6), nil })
	if got := texts(between.Events, ofGet); got != "b e c" {
		t.Errorf("between: %s", got)
	}
	_, err := a.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: aws.String("f/1/s")})
	doortest.Refused(t, err, "InvalidParameterException", "The specified nextToken is invalid.")
}

// TestPagesHaveAMegabyte: of events and what each counts besides, whatever the limit.
func TestPagesHaveAMegabyte(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	long := func(c string, n int) string { return "-9 " + strings.Repeat(c, n) }
	for _, m := range []string{long("a", 1<<19-26), long("b", 1<<19-26), long("c", 1)} {
		doortest.Must(t)(a.put("g", "s", m))
	}
	page := func(token *string) (string, *string) {
		out, err := a.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), StartFromHead: aws.Bool(true), NextToken: token})
		doortest.Must(t)(out, err)
		all := ""
		for _, e := range out.Events {
			all += (*e.Message)[:1]
		}
		return all, out.NextForwardToken
	}
	first, next := page(nil)
	second, _ := page(next)
	if first != "ab" || second != "c" {
		t.Errorf("pages %s, %s", first, second)
	}
	out, err := a.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g")})
	doortest.Must(t)(out, err)
	if len(out.Events) != 2 || out.NextToken == nil {
		t.Errorf("FilterLogEvents gives %d, %v", len(out.Events), out.NextToken)
	}
	for _, limit := range []int32{0, 10_001} {
		_, err := a.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), Limit: &limit})
		doortest.Refused(t, err, "InvalidParameterException", "limit")
	}
}

func TestFiltering(t *testing.T) {
	a := open(t)
	a.group(t, "g", "one", "two", "other")
	doortest.Must(t)(a.put("g", "one", "-9 alpha", "-7 beta"))
	doortest.Must(t)(a.put("g", "two", "-8 alphabet", "-6 gamma"))
	doortest.Must(t)(a.put("g", "other", "-5 alpha"))
	filter := func(in cloudwatchlogs.FilterLogEventsInput) (string, *string) {
		t.Helper()
		in.LogGroupName = aws.String("g")
		out, err := a.FilterLogEvents(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, e := range out.Events {
			ids[*e.EventId] = true
		}
		if len(ids) != len(out.Events) {
			t.Errorf("ids are not unique: %v", ids)
		}
		return texts(out.Events, ofFilter), out.NextToken
	}
	for want, in := range map[string]cloudwatchlogs.FilterLogEventsInput{
		"alpha alphabet beta gamma alpha": {},
		"alpha alphabet alpha":            {FilterPattern: aws.String("alpha")},
		"alphabet":                        {FilterPattern: aws.String(`alpha "bet"`)},
		"alpha beta":                      {LogStreamNames: []string{"one"}},
		"alphabet gamma":                  {LogStreamNamePrefix: aws.String("t")},
		"beta gamma":                      {StartTime: aws.Int64(a.now.UnixMilli() - 7000), EndTime: aws.Int64(a.now.UnixMilli() - 6000)},
	} {
		if got, next := filter(in); got != want || next != nil {
			t.Errorf("got %q, %v; want %q", got, next, want)
		}
	}
	first, next := filter(cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(2), FilterPattern: aws.String("a")})
	second, _ := filter(cloudwatchlogs.FilterLogEventsInput{NextToken: next, FilterPattern: aws.String("a")})
	if first != "alpha alphabet" || second != "beta gamma alpha" {
		t.Errorf("pages %q, %q", first, second)
	}
	for _, pattern := range []string{`"a`, "a.b", "{ $.a }", "[a, b"} {
		_, err := a.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), FilterPattern: &pattern})
		doortest.Refused(t, err, "InvalidParameterException", "filter pattern")
	}
}

func TestPutRefuses(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	for name, test := range map[string]struct {
		group, stream string
		messages      []string
		code, text    string
	}{
		"no group":   {"x", "s", []string{"0 a"}, "ResourceNotFoundException", "The specified log group does not exist."},
		"no stream":  {"g", "x", []string{"0 a"}, "ResourceNotFoundException", "The specified log stream does not exist."},
		"disordered": {"g", "s", []string{"0 a", "-1 b"}, "InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order."},
		"wide":       {"g", "s", []string{"-86401 a", "0 b"}, "InvalidParameterException", "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."},
		"large":      {"g", "s", []string{"0 " + strings.Repeat("x", 1<<20-25)}, "InvalidParameterException", "Log event too large"},
		"heavy":      {"g", "s", []string{"0 " + strings.Repeat("x", 1<<19), "0 " + strings.Repeat("x", 1<<19)}, "InvalidParameterException", "Upload too large"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.put(test.group, test.stream, test.messages...)
			doortest.Refused(t, err, test.code, test.text)
		})
	}
	doortest.Must(t)(a.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(1)}))
	const day = 86400
	out, err := a.put("g", "s", fmt.Sprintf("%d old", -15*day), fmt.Sprintf("%d older", -15*day+1))
	if err != nil || *out.RejectedLogEventsInfo.TooOldLogEventEndIndex != 2 {
		t.Errorf("too old: %+v, %v", out, err)
	}
	out, err = a.put("g", "s", fmt.Sprintf("%d expired", -day-1), "-10 good", "7201 new")
	if err == nil {
		t.Errorf("more than a day: %+v", out)
	}
	out, err = a.put("g", "s", "-10 good", "7201 new")
	if err != nil || *out.RejectedLogEventsInfo.TooNewLogEventStartIndex != 1 {
		t.Errorf("too new: %+v, %v", out, err)
	}
	a.turn(25 * time.Hour) // past the retention
	got, err := a.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	if err != nil || len(got.Events) != 0 {
		t.Errorf("after the retention: %+v, %v", got, err)
	}
}

// TestPutLimits: what is just within a limit is taken, what is just beyond is refused, or
// left out and told of.
func TestPutLimits(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	ctx, must := t.Context(), doortest.Must(t)
	const day, hour = 86400, 3600
	type rejected = types.RejectedLogEventsInfo
	index := aws.Int32
	for name, test := range map[string]struct {
		retention int32
		messages  []string
		want      *rejected
	}{
		"14 days and a day between": {30, []string{fmt.Sprintf("%d a", -14*day), fmt.Sprintf("%d b", -13*day)}, nil},
		"too old, and not":          {30, []string{fmt.Sprintf("%d a", -14*day-2), fmt.Sprintf("%d b", -14*day-1), fmt.Sprintf("%d c", -14*day+1)}, &rejected{TooOldLogEventEndIndex: index(2)}},
		"expired, and not":          {1, []string{fmt.Sprintf("%d a", -day-2), fmt.Sprintf("%d b", -day-1), fmt.Sprintf("%d c", -day+hour)}, &rejected{ExpiredLogEventEndIndex: index(2)}},
		"all expired":               {1, []string{fmt.Sprintf("%d a", -day-2)}, &rejected{ExpiredLogEventEndIndex: index(1)}},
		"two hours ahead":           {1, []string{fmt.Sprintf("%d a", 2*hour)}, nil},
		"too new, and not":          {1, []string{"0 a", fmt.Sprintf("%d b", 2*hour), fmt.Sprintf("%d c", 2*hour+1), fmt.Sprintf("%d d", 2*hour+2)}, &rejected{TooNewLogEventStartIndex: index(2)}},
		"the largest event":         {1, []string{"0 " + strings.Repeat("x", 1<<20-26)}, nil},
	} {
		must(a.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: &test.retention}))
		out, err := a.put("g", "s", test.messages...)
		if err != nil || out.NextSequenceToken == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(test.want, out.RejectedLogEventsInfo, cmp.AllowUnexported(types.RejectedLogEventsInfo{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	many := make([]string, 10_001)
	for i := range many {
		many[i] = "0 x"
	}
	must(a.put("g", "s", many[1:]...))
	_, err := a.put("g", "s", many...)
	doortest.Refused(t, err, "InvalidParameterException", "length less than or equal to 10000")
	_, err = a.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), LogEvents: []types.InputLogEvent{}})
	doortest.Refused(t, err, "InvalidParameterException", "length greater than or equal to 1")
	for _, days := range []int32{0, 2, 366} {
		_, err := a.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: &days})
		doortest.Refused(t, err, "InvalidParameterException", "")
	}
	// What was taken is there, and nothing else.
	must(a.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: aws.String("g")}))
	out, _ := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String("stats count(*) as n"), StartTime: aws.Int64(0), EndTime: aws.Int64(a.now.Unix() + 4*hour)})
	if got, want := rows(out), "n=10008"; got != want {
		t.Errorf("there are %s events, want %s", got, want)
	}
}

func TestGroupsAndStreams(t *testing.T) {
	a := open(t)
	a.group(t, "/aws/one", "b", "a")
	a.group(t, "two")
	doortest.Must(t)(a.put("/aws/one", "b", "-5 x"))
	doortest.Must(t)(a.put("/aws/one", "a", "-9 y", "-2 z"))
	doortest.Must(t)(a.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("two"), RetentionInDays: aws.Int32(7)}))
	out, err := a.DescribeLogGroups(t.Context(), nil)
	if err != nil || len(out.LogGroups) != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	one, two := out.LogGroups[0], out.LogGroups[1]
	arn := "arn:aws:logs:us-west-2:" + doortest.Number + ":log-group:/aws/one"
	if *one.Arn != arn+":*" || *one.LogGroupArn != arn || one.RetentionInDays != nil || *one.StoredBytes != 3*27 || *two.RetentionInDays != 7 {
		t.Errorf("%+v %+v", one, two)
	}
	if out, err := a.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/aws")}); err != nil || len(out.LogGroups) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	streams := func(in cloudwatchlogs.DescribeLogStreamsInput) string {
		t.Helper()
		in.LogGroupName = aws.String("/aws/one")
		out, err := a.DescribeLogStreams(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.LogStreams {
			//lint:ignore SA1019 AWS still answers with it
			if n := s.StoredBytes; n == nil || *n != 0 {
				t.Errorf("%s has stored bytes %v, want 0 as on AWS", *s.LogStreamName, n)
			}
		}
		return texts(out.LogStreams, func(s types.LogStream) *string { return s.LogStreamName })
	}
	for want, in := range map[string]cloudwatchlogs.DescribeLogStreamsInput{
		"a b": {}, "b": {LogStreamNamePrefix: aws.String("b")}, "b a": {OrderBy: types.OrderByLastEventTime}, "a": {OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true), Limit: aws.Int32(1)},
	} {
		if got := streams(in); got != want {
			t.Errorf("streams %q, want %q", got, want)
		}
	}
	_, err = a.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("two")})
	var there *types.ResourceAlreadyExistsException
	if !errors.As(err, &there) {
		t.Errorf("made twice: %v", err)
	}
	doortest.Must(t)(a.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/aws/one")}))
	a.group(t, "/aws/one", "a")
	got, err := a.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/aws/one"), LogStreamName: aws.String("a")})
	if err != nil || len(got.Events) != 0 {
		t.Errorf("a new stream has the old one's events: %+v, %v", got, err)
	}
}

// Policies name groups as AWS's do, with ":*".
func TestPermissions(t *testing.T) {
	a := open(t)
	a.group(t, "mine", "s")
	a.group(t, "yours", "s")
	user := &account{now: a.now, Client: cloudwatchlogs.NewFromConfig(a.door.User(t, "u", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents","logs:FilterLogEvents"],"Resource":"arn:aws:logs:us-west-2:`+doortest.Number+`:log-group:mine:*"}]}`))}
	doortest.Must(t)(user.put("mine", "s", "0 a"))
	_, err := user.put("yours", "s", "0 a")
	doortest.Refused(t, err, "AccessDeniedException", "is not authorized to perform: logs:PutLogEvents")
	_, err = user.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-west-2:" + doortest.Number + ":log-group:mine")})
	if err != nil {
		t.Error(err)
	}
}

// TestAStreamMadeWhileItIsDeleted: a stream of the name that is made before the old one's
// events are gone keeps its own.
func TestAStreamMadeWhileItIsDeleted(t *testing.T) {
	a, must := open(t), doortest.Must(t)
	a.group(t, "g", "s")
	must(a.put("g", "s", "-9 old"))
	begun, resume := make(chan bool), make(chan bool)
	var calls atomic.Int32
	a.deletes = func() {
		if calls.Add(1) == 1 {
			close(begun)
			<-resume
		}
	}
	name := &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")}
	var deleted, made error
	var both sync.WaitGroup
	both.Go(func() { _, deleted = a.DeleteLogStream(context.Background(), name) })
	<-begun
	put := make(chan bool)
	both.Go(func() {
		defer close(put)
		if _, made = a.CreateLogStream(context.Background(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name.LogGroupName, LogStreamName: name.LogStreamName}); made == nil {
			_, made = a.put("g", "s", "-8 new")
		}
	})
	select {
	case <-put:
	case <-time.After(300 * time.Millisecond):
	}
	close(resume)
	both.Wait()
	must(nil, errors.Join(deleted, made))
	out, err := a.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: name.LogGroupName, LogStreamName: name.LogStreamName})
	if must(out, err); texts(out.Events, ofGet) != "new" {
		t.Errorf("the new stream has %q", texts(out.Events, ofGet))
	}
}
