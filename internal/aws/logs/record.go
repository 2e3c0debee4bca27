package logs

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/engine/scan"
)

// ofRecord is the group of the event that a pointer names, as policies match it.
func (s *Service) ofRecord(pointer *string) []string {
	id, _, found, err := s.Events.Record(aws.ToString(pointer))
	if err != nil || !found {
		return []string{s.groupARN(":log-stream:")}
	}
	return s.ofGroup(&id.Group, nil)
}

// GetLogRecord shows an event with all of its fields.
func (s *Service) GetLogRecord(_ context.Context, in *cloudwatchlogs.GetLogRecordInput) (*cloudwatchlogs.GetLogRecordOutput, error) {
	id, e, found, err := s.Events.Record(aws.ToString(in.LogRecordPointer))
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, noRecord
	}
	g, err := s.found(id.Group, id.Name)
	if err != nil {
		return nil, err
	}
	if e.At < s.oldest(&g) {
		return nil, noRecord
	}
	record := map[string]string{
		"@message": shown(e.Message), "@timestamp": strconv.FormatInt(e.At, 10), "@ingestionTime": strconv.FormatInt(e.Taken, 10),
		"@logStream": id.Name, "@log": s.Place.AccountID + ":" + id.Group, "@ptr": *in.LogRecordPointer,
	}
	for _, f := range scan.Discover(e.Message) {
		record[f.Name] = f.Value.Text
	}
	return &cloudwatchlogs.GetLogRecordOutput{LogRecord: record}, nil
}

var noRecord = &types.ResourceNotFoundException{Message: aws.String("The log record that the pointer names does not exist.")}
