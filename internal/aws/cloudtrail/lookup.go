package cloudtrail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// History answers the calls of AWS CloudTrail that read what a Trail recorded.
type History struct {
	trail *Trail
	dir   string
	now   func() time.Time
}

// NewHistory makes the service over a trail's directory.
func NewHistory(t *Trail, dir string, now func() time.Time) *History { return &History{t, dir, now} }

// Service lists the operations for the front door.
func (h *History) Service() *api.Service {
	s := &api.Service{ID: "cloudtrail", Action: "cloudtrail"}
	api.Add(s, "LookupEvents", h.LookupEvents, nil)
	return s
}

const (
	mostResults = 50
	kept        = 90 * 24 * time.Hour // how far back LookupEvents sees
	late        = 5 * time.Minute     // by which a call may be recorded after it came
	mostRead    = 64 << 20            // bytes that one call looks through; the next page goes on
)

// LookupEvents finds management events, the newest first, in the order in which the calls
// ended. A page that is not full has a token if there is more to look through.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func (h *History) LookupEvents(ctx context.Context, in *cloudtrail.LookupEventsInput) (*cloudtrail.LookupEventsOutput, error) {
	q, err := h.query(in)
	if err != nil {
		return nil, err
	}
	out := &cloudtrail.LookupEventsOutput{Events: []types.Event{}}
	if in.EventCategory != "" {
		return out, nil // no trail has Insights here
	}
	_ = h.trail.Flush() // a disk that takes nothing is the front door's to report
	read, last := 0, Position{}
	for line, err := range Newest(h.dir, q.before) {
		if err != nil {
			return nil, err
		}
		if len(out.Events) == q.most || read > mostRead || ctx.Err() != nil {
			out.NextToken = aws.String(q.token(last))
			return out, nil
		}
		if began(line.Before.Segment).After(q.to.Add(late)) {
			continue
		}
		read, last = read+len(line.Text), line.Before
		event, found, over, err := q.event(line.Text)
		if err != nil {
			return nil, fmt.Errorf("trail: %s at byte %d: %w", last.Segment, last.Offset, err)
		}
		if over {
			break
		}
		if found {
			out.Events = append(out.Events, event)
		}
	}
	return out, nil
}

// query is what is looked for.
type query struct {
	from, to time.Time
	key      types.LookupAttributeKey
	value    string
	hint     []byte // is in every line that has the value
	most     int
	before   Position
	digest   string
}

func (h *History) query(in *cloudtrail.LookupEventsInput) (*query, error) {
	now := h.now()
	q := &query{from: now.Add(-kept), to: now.Add(time.Second), most: mostResults}
	if in.StartTime != nil && in.StartTime.After(q.from) {
		q.from = *in.StartTime
	}
	if in.EndTime != nil {
		q.to = *in.EndTime
	}
	if in.StartTime != nil && in.EndTime != nil && in.EndTime.Before(*in.StartTime) {
		return nil, &types.InvalidTimeRangeException{Message: aws.String("The end time is before the start time.")}
	}
	if in.MaxResults != nil {
		if q.most = int(*in.MaxResults); q.most < 1 || q.most > mostResults {
			return nil, &types.InvalidMaxResultsException{Message: aws.String("A max results value must be between 1 and 50.")}
		}
	}
	if err := q.attribute(in.LookupAttributes); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %v %s %s", unix(in.StartTime), unix(in.EndTime), q.key, q.value))
	q.digest = string(sum[:9])
	return q, q.resume(in.NextToken)
}

func unix(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.Unix()
}

func (q *query) attribute(list []types.LookupAttribute) error {
	if len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		return &types.InvalidLookupAttributesException{Message: aws.String("Only one lookup attribute can be specified.")}
	}
	q.key, q.value = list[0].AttributeKey, aws.ToString(list[0].AttributeValue)
	if q.value == "" || len(q.value) > 2000 {
		return &types.InvalidLookupAttributesException{Message: aws.String("The value of a lookup attribute must have 1 to 2000 characters.")}
	}
	quoted := appendString(nil, q.value)
	switch q.key {
	case types.LookupAttributeKeyEventId:
		q.hint = append([]byte(`"eventID":`), quoted...)
	case types.LookupAttributeKeyEventName:
		q.hint = append([]byte(`"eventName":`), quoted...)
	case types.LookupAttributeKeyEventSource:
		q.hint = append([]byte(`"eventSource":`), quoted...)
	case types.LookupAttributeKeyAccessKeyId:
		q.hint = append([]byte(`"accessKeyId":`), quoted...)
	case types.LookupAttributeKeyReadOnly:
		q.value = strings.ToLower(q.value)
		q.hint = []byte(`"readOnly":` + q.value)
	case types.LookupAttributeKeyUsername:
		if q.value != "root" { // which the line says otherwise
			q.hint = quoted[1 : len(quoted)-1]
		}
	case types.LookupAttributeKeyResourceName:
		q.hint = quoted[1 : len(quoted)-1]
	case types.LookupAttributeKeyResourceType:
	default:
		return &types.InvalidLookupAttributesException{Message: aws.String("The lookup attribute " + string(q.key) + " is not supported.")}
	}
	return nil
}

// event reads a line, if it is what is looked for. Over says that all lines after
// it are too old.
func (q *query) event(line []byte) (e types.Event, found, over bool, err error) {
	at, ok := timeOf(line)
	if ok && at.Before(q.from.Add(-late)) {
		return e, false, true, nil
	}
	if ok && (at.Before(q.from.Truncate(time.Second)) || at.After(q.to)) || !bytes.Contains(line, q.hint) {
		return e, false, false, nil
	}
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return e, false, false, err
	}
	things := r.Things()
	if !r.ManagementEvent || !q.matches(&r, things) {
		return e, false, false, nil
	}
	e = types.Event{
		EventId: &r.EventID, EventName: &r.EventName, EventSource: &r.EventSource, EventTime: &r.EventTime,
		ReadOnly: aws.String(strconv.FormatBool(r.ReadOnly)), CloudTrailEvent: aws.String(string(line)), Resources: []types.Resource{},
	}
	if name := r.Username(); name != "" {
		e.Username = &name
	}
	if id := r.AccessKeyID(); id != "" {
		e.AccessKeyId = &id
	}
	for _, t := range things {
		e.Resources = append(e.Resources, types.Resource{ResourceType: &t.Type, ResourceName: &t.Name})
	}
	return e, true, false, nil
}

func (q *query) matches(r *Record, things []Thing) bool {
	switch q.key {
	case types.LookupAttributeKeyEventId:
		return r.EventID == q.value
	case types.LookupAttributeKeyEventName:
		return r.EventName == q.value
	case types.LookupAttributeKeyEventSource:
		return r.EventSource == q.value
	case types.LookupAttributeKeyReadOnly:
		return strconv.FormatBool(r.ReadOnly) == q.value
	case types.LookupAttributeKeyAccessKeyId:
		return r.AccessKeyID() == q.value
	case types.LookupAttributeKeyUsername:
		return r.Username() == q.value
	case types.LookupAttributeKeyResourceName:
		return slices.ContainsFunc(things, func(t Thing) bool { return t.Name == q.value })
	case types.LookupAttributeKeyResourceType:
		return slices.ContainsFunc(things, func(t Thing) bool { return t.Type == q.value })
	}
	return true
}

// timeOf finds the time of an event without reading all of its line.
func timeOf(line []byte) (time.Time, bool) {
	const mark = `"eventTime":"`
	i := bytes.Index(line, []byte(mark))
	if i < 0 || len(line) < i+len(mark)+len(time.RFC3339) {
		return time.Time{}, false
	}
	rest := line[i+len(mark):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, string(rest[:end]))
	return t, err == nil
}

// A token is the place where the next page begins, and a digest of the request it
// continues.
func (q *query) token(p Position) string {
	return base64.StdEncoding.EncodeToString([]byte(q.digest + strconv.FormatInt(p.Offset, 10) + " " + p.Segment))
}

func (q *query) resume(token *string) error {
	if aws.ToString(token) == "" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(*token)
	rest, ours := strings.CutPrefix(string(data), q.digest)
	offset, segment, cut := strings.Cut(rest, " ")
	n, bad := strconv.ParseInt(offset, 10, 64)
	if err != nil || !ours || !cut || bad != nil || n < 0 {
		return &types.InvalidNextTokenException{Message: aws.String("The token is not one that was given for this request.")}
	}
	q.before = Position{segment, n}
	return nil
}
