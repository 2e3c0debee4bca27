package logs

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/logs/storage"
)

// Vend keeps events of an AWS service in a stream, which it makes if it is not there,
// its group too. The mark says where the service stands behind them: it is kept with
// them, all or nothing. Events have a time and a message.
func (s *Service) Vend(ctx context.Context, id storage.Stream, events []storage.Event, mark string) error {
	if _, err := s.found(id.Group, id.Name); err != nil {
		var there *types.ResourceAlreadyExistsException
		if _, err := s.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(id.Group)}); err != nil && !errors.As(err, &there) {
			return err
		}
		if _, err := s.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String(id.Group), LogStreamName: aws.String(id.Name)}); err != nil && !errors.As(err, &there) {
			return err
		}
	}
	return s.take(ctx, id, events, mark)
}

// Vended gives the mark of the last events that Vend kept, "" if there are none, or the
// stream was deleted since.
func (s *Service) Vended(id storage.Stream) (string, error) { return s.Events.Mark(id) }
