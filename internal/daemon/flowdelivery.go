package daemon

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/engine/flowlog"
)

// deliveries says where flow logs can go.
type deliveries struct{ *Daemon }

// flowLogService is who assumes a role to write to a log group.
const flowLogService = "vpc-flow-logs.amazonaws.com"

// AdmitToBucket implements ec2.Deliveries.
func (d deliveries) AdmitToBucket(ctx context.Context, bucket, folder string) error {
	err := d.s3.AdmitDelivery(ctx, bucket, folder)
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && refused.Code == "NoSuchBucket":
		return ec2.ErrNoDestination
	case errors.As(err, &refused):
		return ec2.ErrNoAccess
	}
	return err
}

// AdmitToLogs implements ec2.Deliveries. The group is made when the first records
// are delivered, if the role may.
func (d deliveries) AdmitToLogs(ctx context.Context, _, role string) error {
	err := d.iam.CheckPass(ctx, role, flowLogService)
	var refused *api.Error
	if errors.As(err, &refused) {
		return api.Errorf(403, "UnauthorizedOperation", "You are not authorized to perform this operation. %s", refused.Message)
	}
	if err == nil && !d.iam.Assumable(ctx, role, flowLogService) {
		return api.Errorf(400, "InvalidParameter", "Unable to assume given IAM role")
	}
	return err
}

// deliverTo writes a window's records to a flow log's destination.
func (f *flowLogs) deliverTo(ctx context.Context, l ec2.FlowLog, records []flowlog.Record, began time.Time) error {
	if len(records) == 0 {
		return nil
	}
	format, err := flowlog.ParseFormat(l.Format)
	if err != nil {
		return err
	}
	if l.LogGroup != "" {
		return f.deliverToLogs(ctx, l, format, records)
	}
	return f.deliverToBucket(ctx, l, format, records, began)
}

func (f *flowLogs) deliverToBucket(ctx context.Context, l ec2.FlowLog, format flowlog.Format, records []flowlog.Record, began time.Time) error {
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	line := append([]byte(format.Header()), '\n')
	for i := range records {
		_, _ = zip.Write(line) // to memory
		line = append(format.Append(line[:0], &records[i]), '\n')
	}
	_, _ = zip.Write(line)
	_ = zip.Close()
	sum := sha256.Sum256(data.Bytes())
	bucket, folder := l.Bucket()
	key := flowlog.File{
		Folder: folder, Account: f.config.Account, Region: f.config.Region, FlowLog: l.ID, Hive: l.Hive, PerHour: l.PerHour,
		Time: began, Hash: hex.EncodeToString(sum[:4]),
	}.Key()
	return f.s3.Deliver(ctx, bucket, key, "application/octet-stream", data.Bytes())
}

// eventsPerCall keeps a call below PutLogEvents' limits: a record has at most some
// hundred bytes.
const eventsPerCall = 1000

// deliverToLogs writes the records of each interface to a stream of its own, by the
// rights of the flow log's role.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html
func (f *flowLogs) deliverToLogs(ctx context.Context, l ec2.FlowLog, format flowlog.Format, records []flowlog.Record) error {
	byStream := map[string][]flowlog.Record{}
	for _, r := range records {
		name := r.Interface.ID + "-" + strings.ToLower(string(l.Traffic))
		byStream[name] = append(byStream[name], r)
	}
	for name, own := range byStream {
		slices.SortStableFunc(own, func(a, b flowlog.Record) int { return cmp.Compare(a.Start, b.Start) })
		for part := range slices.Chunk(own, eventsPerCall) {
			var events []types.InputLogEvent
			for i := range part {
				events = append(events, types.InputLogEvent{Timestamp: aws.Int64(1000 * part[i].Start), Message: aws.String(string(format.Append(nil, &part[i])))})
			}
			if err := f.putEvents(ctx, l, name, events); err != nil {
				return err
			}
		}
	}
	return nil
}

// putEvents makes group and stream where they lack.
func (f *flowLogs) putEvents(ctx context.Context, l ec2.FlowLog, stream string, events []types.InputLogEvent) error {
	put := func() error {
		if err := f.roleMay(ctx, l, "logs:PutLogEvents", stream); err != nil {
			return err
		}
		_, err := f.logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &l.LogGroup, LogStreamName: &stream, LogEvents: events})
		return err
	}
	err := put()
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		return err
	}
	var there *types.ResourceAlreadyExistsException
	if err := f.roleMay(ctx, l, "logs:CreateLogGroup", ""); err == nil { // else the group may be there
		if _, err := f.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &l.LogGroup}); err != nil && !errors.As(err, &there) {
			return err
		}
	}
	if err := f.roleMay(ctx, l, "logs:CreateLogStream", stream); err != nil {
		return err
	}
	if _, err := f.logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &l.LogGroup, LogStreamName: &stream}); err != nil && !errors.As(err, &there) {
		return err
	}
	return put()
}

// roleMay decides as if the flow log's role had made the call.
func (f *flowLogs) roleMay(ctx context.Context, l ec2.FlowLog, action, stream string) error {
	role, ok := f.iam.RoleByARN(l.Role)
	if !ok || !f.iam.Trusts(&role, flowLogService) {
		return api.Errorf(403, "AccessDenied", "the role %s can't be assumed", l.Role)
	}
	place := f.config.Place()
	who := &api.Caller{
		Type: api.AssumedRole, Partition: place.Partition, AccountID: place.AccountID, Name: role.Name, PrincipalID: role.ID, PrincipalARN: l.Role,
		ARN:    fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/VPCFlowLogs", place.Partition, place.AccountID, role.Name),
		UserID: role.ID + ":VPCFlowLogs", Session: &api.Session{Name: "VPCFlowLogs"}, Time: time.Now(), RequestedRegion: place.Region,
	}
	resource := fmt.Sprintf("arn:%s:logs:%s:%s:log-group:%s:log-stream:%s", place.Partition, place.Region, place.AccountID, l.LogGroup, stream)
	if err := f.iam.Authorize(ctx, who, action, []string{resource}, nil); err != nil {
		return api.Errorf(403, "AccessDenied", "%s", err)
	}
	return nil
}
