package logs

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/engine/scan"
)

// Pointer is an event's @ptr, by which GetLogRecord finds it.
func Pointer(id storage.Stream, p storage.Place) string {
	return base64.RawURLEncoding.EncodeToString([]byte(id.Group + ":" + id.Name + ":" + p.ID()))
}

func readPointer(text *string) (id storage.Stream, p storage.Place, ok bool) {
	data, err := base64.RawURLEncoding.DecodeString(aws.ToString(text))
	parts := strings.Split(string(data), ":")
	if err != nil || len(parts) != 3 {
		return id, p, false
	}
	p, ok = storage.ParseID(parts[2])
	return storage.Stream{Group: parts[0], Name: parts[1]}, p, ok
}

// GetLogRecord shows an event with all of its fields.
func (s *Service) GetLogRecord(_ context.Context, in *cloudwatchlogs.GetLogRecordInput) (*cloudwatchlogs.GetLogRecordOutput, error) {
	id, at, ok := readPointer(in.LogRecordPointer)
	if !ok {
		return nil, invalid("The log record pointer is not valid.")
	}
	g, err := s.found(id.Group, id.Name)
	if err != nil {
		return nil, err
	}
	for e, err := range s.Events.Read(storage.Query{Group: id.Group, Streams: []string{id.Name}, From: at, To: after(at)}) {
		if err != nil {
			return nil, err
		}
		if e.At < s.oldest(&g) {
			break
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
	return nil, &types.ResourceNotFoundException{Message: aws.String("The log record does not exist.")}
}
