package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/store"
)

// Export is a task that writes a group's events to a bucket.
type Export struct {
	ID, Name       string
	Group          string
	Streams        string // prefix of their names
	From, To       int64  // ms since 1970
	Bucket, Prefix string
	Status         types.ExportTaskStatusCode
	Message        string
	Created, Ended int64 // ms since 1970
}

func (e *Export) open() bool {
	return e.Status == types.ExportTaskStatusCodePending || e.Status == types.ExportTaskStatusCodeRunning || e.Status == types.ExportTaskStatusCodePendingCancel
}

// CreateExportTask starts to write a group's events of a time to a bucket, whose policy
// must let this service. An account has one such task at a time.
func (s *Service) CreateExportTask(ctx context.Context, in *cloudwatchlogs.CreateExportTaskInput) (*cloudwatchlogs.CreateExportTaskOutput, error) {
	e := Export{
		ID: uuid.NewString(), Name: aws.ToString(in.TaskName), Group: aws.ToString(in.LogGroupName), Streams: aws.ToString(in.LogStreamNamePrefix),
		From: aws.ToInt64(in.From), To: aws.ToInt64(in.To), Bucket: aws.ToString(in.Destination), Prefix: strings.Trim(aws.ToString(in.DestinationPrefix), "/"),
		Status: types.ExportTaskStatusCodePending, Message: "Task is pending", Created: s.ms(),
	}
	if e.Prefix == "" {
		e.Prefix = "exportedlogs"
	}
	if e.From < 0 || e.To < e.From {
		return nil, invalid("The time range is not valid: from must be before to.")
	}
	if _, ok := s.groups.Get(e.Group); !ok {
		return nil, notFound("group")
	}
	// AWS writes this object to see whether it can.
	err := s.Buckets.WriteAs(ctx, s.principal(), s.groupARN(e.Group)+":*", e.Bucket, e.Prefix+"/aws-logs-write-test", "binary/octet-stream", []byte("Permission Check Successful"))
	if err != nil {
		if api.Code(err) == "NoSuchBucket" {
			return nil, invalid("The specified bucket does not exist")
		}
		return nil, invalid("PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.")
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		for _, other := range s.exports.In(tx).List("") {
			if other.open() {
				return &types.LimitExceededException{Message: aws.String("Resource limit exceeded.")}
			}
		}
		s.exports.In(tx).Put(e.ID, e)
		return nil
	})
	return &cloudwatchlogs.CreateExportTaskOutput{TaskId: aws.String(e.ID)}, err
}

var noTask = &types.ResourceNotFoundException{Message: aws.String("The specified export task does not exist.")}

// CancelExportTask ends a task that has not ended.
func (s *Service) CancelExportTask(ctx context.Context, in *cloudwatchlogs.CancelExportTaskInput) (*cloudwatchlogs.CancelExportTaskOutput, error) {
	return &cloudwatchlogs.CancelExportTaskOutput{}, s.changeExport(ctx, aws.ToString(in.TaskId), func(e *Export) error {
		if !e.open() {
			return &types.InvalidOperationException{Message: aws.String("The specified export task has already finished.")}
		}
		e.Status, e.Message = types.ExportTaskStatusCodePendingCancel, "Task is being cancelled"
		return nil
	})
}

func (s *Service) changeExport(ctx context.Context, id string, change func(*Export) error) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		e, ok := s.exports.In(tx).Get(id)
		if !ok {
			return noTask
		}
		if err := change(&e); err != nil {
			return err
		}
		s.exports.In(tx).Put(id, e)
		return nil
	})
}

// DescribeExportTasks lists tasks.
func (s *Service) DescribeExportTasks(_ context.Context, in *cloudwatchlogs.DescribeExportTasksInput) (*cloudwatchlogs.DescribeExportTasksOutput, error) {
	if in.TaskId != nil && in.StatusCode != "" {
		return nil, invalid("Only one of taskId and statusCode can be specified.")
	}
	var all []Export
	for _, e := range s.exports.List("") {
		if (in.TaskId == nil || *in.TaskId == e.ID) && (in.StatusCode == "" || in.StatusCode == e.Status) {
			all = append(all, e)
		}
	}
	if in.TaskId != nil && len(all) == 0 {
		return nil, noTask
	}
	page, next, err := paged(all, in.Limit, in.NextToken, func(e Export) string { return e.ID })
	out := &cloudwatchlogs.DescribeExportTasksOutput{ExportTasks: []types.ExportTask{}, NextToken: next}
	for _, e := range page {
		view := types.ExportTask{
			TaskId: aws.String(e.ID), LogGroupName: aws.String(e.Group), From: aws.Int64(e.From), To: aws.Int64(e.To),
			Destination: aws.String(e.Bucket), DestinationPrefix: aws.String(e.Prefix),
			Status:        &types.ExportTaskStatus{Code: e.Status, Message: aws.String(e.Message)},
			ExecutionInfo: &types.ExportTaskExecutionInfo{CreationTime: aws.Int64(e.Created)},
		}
		if e.Name != "" {
			view.TaskName = aws.String(e.Name)
		}
		if e.Ended > 0 {
			view.ExecutionInfo.CompletionTime = aws.Int64(e.Ended)
		}
		out.ExportTasks = append(out.ExportTasks, view)
	}
	return out, err
}

// runExports carries tasks out, until ctx ends. One that was under way when an earlier
// run ended is done anew: it writes the same objects.
func (s *Service) runExports(ctx context.Context) {
	changed := make(chan struct{}, 1)
	defer s.exports.Watch(func(string, *Export, *Export) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	for ctx.Err() == nil {
		for _, e := range s.exports.List("") {
			if e.open() {
				s.runExport(ctx, e)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

var errCancelled = errors.New("the task was cancelled")

func (s *Service) runExport(ctx context.Context, e Export) {
	end := func(code types.ExportTaskStatusCode, message string) {
		err := s.changeExport(ctx, e.ID, func(e *Export) error {
			e.Status, e.Message, e.Ended = code, message, s.ms()
			return nil
		})
		if err != nil {
			s.Log.Error("an export task's end can't be recorded", "task", e.ID, "error", err)
		}
	}
	err := s.changeExport(ctx, e.ID, func(e *Export) error {
		if e.Status == types.ExportTaskStatusCodePendingCancel {
			return errCancelled
		}
		e.Status, e.Message = types.ExportTaskStatusCodeRunning, "Task is running"
		return nil
	})
	if err == nil {
		err = s.export(ctx, &e)
	}
	switch {
	case ctx.Err() != nil: // goes on after the next start
	case errors.Is(err, errCancelled):
		end(types.ExportTaskStatusCodeCancelled, "Task was cancelled")
	case err != nil:
		s.Log.Warn("an export task failed", "task", e.ID, "error", err)
		end(types.ExportTaskStatusCodeFailed, "Task failed: "+err.Error())
	default:
		end(types.ExportTaskStatusCodeCompleted, "Completed successfully")
	}
}

// exportedPart is how many bytes of lines an object holds, before compression.
const exportedPart = 64 << 20

// export writes each stream's events as lines, each a time and a message, compressed.
func (s *Service) export(ctx context.Context, e *Export) error {
	g, ok := s.groups.Get(e.Group)
	if !ok {
		return notFound("group")
	}
	streams, err := s.chosen(e.Group, nil, &e.Streams)
	if err != nil {
		return err
	}
	kept := storage.Query{Group: e.Group, From: storage.From(max(e.From, s.oldest(&g))), To: storage.Last}
	if e.To < math.MaxInt64 {
		kept.To = storage.From(e.To + 1)
	}
	for _, name := range streams {
		kept.Streams = []string{name}
		part, size := 0, 0
		var data bytes.Buffer
		zip := gzip.NewWriter(&data)
		flush := func() error {
			if size == 0 {
				return nil
			}
			_ = zip.Close() // to memory
			key := fmt.Sprintf("%s/%s/%s/%06d.gz", e.Prefix, e.ID, strings.ReplaceAll(name, "/", "-"), part)
			err := s.Buckets.WriteAs(ctx, s.principal(), s.groupARN(e.Group)+":*", e.Bucket, key, "application/gzip", data.Bytes())
			data.Reset()
			zip.Reset(&data)
			part, size = part+1, 0
			return err
		}
		count := 0
		for event, err := range s.Events.Read(kept) {
			if err != nil {
				return err
			}
			line := time.UnixMilli(event.At).UTC().Format("2006-01-02T15:04:05.000Z") + " " + event.Message + "\n"
			_, _ = zip.Write([]byte(line)) // to memory
			if size += len(line); size > exportedPart {
				if err := flush(); err != nil {
					return err
				}
			}
			if count++; count%1000 == 0 && s.cancelled(ctx, e.ID) {
				return errCancelled
			}
		}
		if err := flush(); err != nil {
			return err
		}
	}
	if s.cancelled(ctx, e.ID) {
		return errCancelled
	}
	return nil
}

func (s *Service) cancelled(ctx context.Context, id string) bool {
	e, ok := s.exports.Get(id)
	return ctx.Err() != nil || !ok || e.Status == types.ExportTaskStatusCodePendingCancel
}
