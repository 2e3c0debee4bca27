package ec2

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/flowlog"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// FlowLog is a wish for records of the traffic of a resource's interfaces.
type FlowLog struct {
	ID       string // "fl-…"
	Resource string // "vpc-…", "subnet-…", "eni-…"
	Traffic  types.TrafficType
	Format   string
	Interval int32 // seconds: 60, 600

	Destination string // ARN of a bucket, with a folder behind it, or of a log group
	LogGroup    string // "" of a bucket
	Role        string // ARN of the role that delivers to the log group
	Hive        bool   // folders named as Hive's partitions
	PerHour     bool   // a folder for each hour

	Created time.Time
	Token   string // the client's, with what it was used for
	// Failure is why the newest records could not be delivered; "" if they could.
	Failure string
	Tags    map[string]string
}

var flowLogKind = kind{"flow log ID", "flow log IDs", "flowLogIdSet", "InvalidFlowLogId.NotFound", "", "fl-"}

// Deliveries is where flow logs can be delivered to. Its errors are shown to the
// caller: ErrNoDestination, ErrNoAccess, or an API error.
type Deliveries interface {
	// AdmitToBucket makes ctx's caller let the log delivery write below a folder
	// ("AWSLogs/ACCOUNT/") of a bucket.
	AdmitToBucket(ctx context.Context, bucket, folder string) error
	// AdmitToLogs checks that ctx's caller may pass the role that is to deliver to a log
	// group.
	AdmitToLogs(ctx context.Context, group, role string) error
}

// What may be wrong with a destination.
var (
	ErrNoDestination = errors.New("the destination does not exist")
	ErrNoAccess      = errors.New("the destination may not be written to")
)

// FlowLogs returns all, by id.
func (s *Service) FlowLogs() []FlowLog { return values(s.flowLogs.List("")) }

// PutFlowLog creates or replaces a flow log's record.
func (s *Service) PutFlowLog(ctx context.Context, f FlowLog) error {
	return put(ctx, s.store, s.flowLogs, f.ID, f)
}

// WatchFlowLogs calls fn for each change of flow logs. It must be quick and must not
// call the service.
func (s *Service) WatchFlowLogs(fn func()) (stop func()) {
	return s.flowLogs.Watch(func(string, *FlowLog, *FlowLog) { fn() })
}

// NoteDelivery records whether a flow log's newest records were delivered: failure
// is "" or AWS's word for why not ("Access error", "Unknown error").
func (s *Service) NoteDelivery(ctx context.Context, id, failure string) error {
	if f, ok := s.flowLogs.Get(id); !ok || f.Failure == failure {
		return nil
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		f, ok := s.flowLogs.In(tx).Get(id)
		if ok {
			f.Failure = failure
			s.flowLogs.In(tx).Put(id, f)
		}
		return nil
	})
}

func (s *Service) addFlowLogs(svc *api.Service) {
	api.Add(svc, "CreateFlowLogs", s.CreateFlowLogs, func(_ context.Context, in *ec2.CreateFlowLogsInput) []string {
		all := s.arns("vpc-flow-log", "*")
		if of, ok := flowLogResources[in.ResourceType]; ok {
			all = append(all, s.arns(of.arn, in.ResourceIds...)...)
		}
		return all
	})
	api.WithNeeds(svc, "CreateFlowLogs", func(_ context.Context, in *ec2.CreateFlowLogsInput) []api.Need {
		needs := s.taggingOf("vpc-flow-log", in.TagSpecifications)
		if in.LogDestinationType == types.LogDestinationTypeS3 {
			// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-create-flow-log.html
			needs = append(needs, api.Need{Action: "logs:CreateLogDelivery", Resources: []string{"*"}})
		}
		return needs
	})
	keyed(svc, "CreateFlowLogs", func(*ec2.CreateFlowLogsInput, string) policy.Values { return policy.Values{} })
	api.Add(svc, "DescribeFlowLogs", s.DescribeFlowLogs, nil)
	api.Add(svc, "DeleteFlowLogs", s.DeleteFlowLogs, func(_ context.Context, in *ec2.DeleteFlowLogsInput) []string {
		return s.arns("vpc-flow-log", in.FlowLogIds...)
	})
}

// flowLogResources are the kinds of resources that can be logged.
var flowLogResources = map[types.FlowLogsResourceType]struct {
	kind kind
	arn  string
}{
	types.FlowLogsResourceTypeVpc:              {vpcKind, "vpc"},
	types.FlowLogsResourceTypeSubnet:           {subnetKind, "subnet"},
	types.FlowLogsResourceTypeNetworkInterface: {kind{one: "networkInterface ID", notFound: "InvalidNetworkInterfaceID.NotFound"}, "network-interface"},
}

// CreateFlowLogs makes one flow log for each resource.
func (s *Service) CreateFlowLogs(ctx context.Context, in *ec2.CreateFlowLogsInput) (*ec2.CreateFlowLogsOutput, error) {
	model, err := s.wantedFlowLog(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, id := range in.ResourceIds {
		if k := flowLogResources[in.ResourceType].kind; !s.canBeLogged(in.ResourceType, id) {
			return nil, api.Errorf(http.StatusBadRequest, k.notFound, "The %s '%s' does not exist", k.one, id)
		}
	}
	if err := (query{dryRun: in.DryRun}).check(flowLogKind); err != nil {
		return nil, err
	}
	out := &ec2.CreateFlowLogsOutput{ClientToken: in.ClientToken, FlowLogIds: []string{}, Unsuccessful: []types.UnsuccessfulItem{}}
	if done := s.madeWith(model.Token); len(done) > 0 {
		for _, id := range in.ResourceIds {
			f, ok := done[id]
			if !ok || !f.same(model) || len(done) != len(in.ResourceIds) {
				return nil, api.Errorf(http.StatusBadRequest, "IdempotentParameterMismatch", "The client token '%s' was already used with different parameters.", model.Token)
			}
			out.FlowLogIds = append(out.FlowLogIds, f.ID)
		}
		return out, nil
	}
	switch failure := s.admit(ctx, model); {
	case errors.Is(failure, ErrNoDestination):
		return unsuccessful(out, in.ResourceIds, "LogDestination: "+model.place()+" does not exist"), nil
	case errors.Is(failure, ErrNoAccess):
		return unsuccessful(out, in.ResourceIds, "Access Denied for LogDestination: "+model.place()+". Please check LogDestination permission"), nil
	case failure != nil:
		return nil, failure
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		out.FlowLogIds = []string{}
		for _, id := range in.ResourceIds {
			f := model
			f.ID, f.Resource = newID("fl-"), id
			for _, old := range s.flowLogs.In(tx).List("") {
				if old.Resource == id && old.same(f) {
					return api.Errorf(http.StatusBadRequest, "FlowLogAlreadyExists", "Error. There is an existing Flow Log with the same configuration and log destination.")
				}
			}
			s.flowLogs.In(tx).Put(f.ID, f)
			out.FlowLogIds = append(out.FlowLogIds, f.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// same says whether two flow logs would deliver the same to the same place.
func (f FlowLog) same(g FlowLog) bool {
	return f.Traffic == g.Traffic && f.Format == g.Format && f.Destination == g.Destination && f.Hive == g.Hive && f.PerHour == g.PerHour
}

// place is the destination as AWS's texts name it.
func (f FlowLog) place() string {
	if f.LogGroup != "" {
		return f.LogGroup
	}
	bucket, _ := f.Bucket()
	return bucket
}

// Bucket is the bucket that a flow log is delivered to, and the folder in it: "" or
// "name/".
func (f FlowLog) Bucket() (name, folder string) {
	_, path, _ := strings.Cut(f.Destination, ":s3:::")
	name, folder, _ = strings.Cut(path, "/")
	if folder = strings.TrimSuffix(folder, "/"); folder != "" {
		folder += "/"
	}
	return name, folder
}

func (s *Service) admit(ctx context.Context, f FlowLog) error {
	if f.LogGroup != "" {
		return s.Deliveries.AdmitToLogs(ctx, f.LogGroup, f.Role)
	}
	bucket, folder := f.Bucket()
	return s.Deliveries.AdmitToBucket(ctx, bucket, flowlog.File{Folder: folder, Account: s.place.AccountID, Hive: f.Hive}.Below())
}

// madeWith are the flow logs that were made with a client's token, by resource.
func (s *Service) madeWith(token string) map[string]FlowLog {
	all := map[string]FlowLog{}
	for _, f := range s.flowLogs.List("") {
		if token != "" && f.Token == token {
			all[f.Resource] = f
		}
	}
	return all
}

func unsuccessful(out *ec2.CreateFlowLogsOutput, ids []string, text string) *ec2.CreateFlowLogsOutput {
	for _, id := range ids {
		out.Unsuccessful = append(out.Unsuccessful, types.UnsuccessfulItem{
			ResourceId: aws.String(id), Error: &types.UnsuccessfulItemError{Code: aws.String("400"), Message: aws.String(text)},
		})
	}
	return out
}

func (s *Service) canBeLogged(t types.FlowLogsResourceType, id string) (known bool) {
	switch t {
	case types.FlowLogsResourceTypeVpc:
		_, known = s.vpcs.Get(id)
	case types.FlowLogsResourceTypeSubnet:
		_, known = s.subnets.Get(id)
	default:
		_, known = s.NetworkInterface(id)
	}
	return known
}

// wantedFlowLog checks a request and makes a flow log of it, without id and
// resource.
func (s *Service) wantedFlowLog(ctx context.Context, in *ec2.CreateFlowLogsInput) (FlowLog, error) {
	tags, err := tagsFor(ctx, types.ResourceTypeVpcFlowLog, in.TagSpecifications)
	if err != nil {
		return FlowLog{}, err
	}
	f := FlowLog{
		Traffic: in.TrafficType, Format: aws.ToString(in.LogFormat), Interval: 600, Token: aws.ToString(in.ClientToken), Created: time.Now().UTC(), Tags: tags,
	}
	if in.MaxAggregationInterval != nil {
		f.Interval = *in.MaxAggregationInterval
	}
	if in.LogFormat == nil {
		f.Format = flowlog.DefaultFormat
	}
	_, logged := flowLogResources[in.ResourceType]
	_, malformed := flowlog.ParseFormat(f.Format)
	switch {
	case len(in.ResourceIds) == 0:
		return f, absent("ResourceId")
	case !logged && !slices.Contains(in.ResourceType.Values(), in.ResourceType):
		return f, invalid("The value '%s' is not valid for parameter ResourceType.", in.ResourceType)
	case !logged:
		return f, unsupportedFlowLog("A flow log of a resource of type " + string(in.ResourceType))
	case in.TrafficType == "":
		return f, absent("TrafficType")
	case !slices.Contains(in.TrafficType.Values(), in.TrafficType):
		return f, invalid("The value '%s' is not valid for parameter TrafficType.", in.TrafficType)
	case f.Interval != 60 && f.Interval != 600:
		return f, invalidFlowLog("Invalid Flow Log Max Aggregation Interval")
	case malformed != nil:
		return f, invalidFlowLog("1 validation error detected: Value '" + f.Format + "' at 'logFormat' has an invalid format")
	case in.DeliverCrossAccountRole != nil:
		return f, unsupportedFlowLog("Delivery to another account")
	case len(in.TagFieldSpecifications) > 0:
		return f, unsupportedFlowLog("Tags as fields")
	}
	if in.LogDestinationType == types.LogDestinationTypeS3 {
		return f, f.toBucket(in)
	}
	return f, s.toLogs(&f, in)
}

func (f *FlowLog) toBucket(in *ec2.CreateFlowLogsInput) error {
	f.Destination = aws.ToString(in.LogDestination)
	switch name, folder := f.Bucket(); {
	case in.LogGroupName != nil:
		return invalidFlowLog("LogDestination type must be cloud-watch-logs if LogGroupName is provided.")
	case in.DeliverLogsPermissionArn != nil:
		return invalidFlowLog("DeliverLogsPermissionArn is not applicable for s3 delivery")
	case f.Destination == "":
		return invalidFlowLog("LogDestination can't be empty if LogGroupName is not provided.")
	case !strings.HasPrefix(f.Destination, "arn:") || name == "" || folder == "AWSLogs/" || strings.HasPrefix(folder, "AWSLogs/"):
		// The folder name AWSLogs is reserved.
		return invalidFlowLog("LogDestination: " + f.Destination + " is not a valid ARN of a bucket or of a folder in it")
	}
	if o := in.DestinationOptions; o != nil {
		if o.FileFormat != "" && o.FileFormat != types.DestinationFileFormatPlainText {
			return unsupportedFlowLog("File format " + string(o.FileFormat))
		}
		f.Hive, f.PerHour = aws.ToBool(o.HiveCompatiblePartitions), aws.ToBool(o.PerHourPartition)
	}
	return nil
}

func (s *Service) toLogs(f *FlowLog, in *ec2.CreateFlowLogsInput) error {
	prefix := "arn:" + s.place.Partition + ":logs:" + s.place.Region + ":" + s.place.AccountID + ":log-group:"
	group, named := strings.CutPrefix(aws.ToString(in.LogDestination), prefix)
	switch {
	case in.LogDestinationType != "" && in.LogDestinationType != types.LogDestinationTypeCloudWatchLogs:
		return unsupportedFlowLog("Delivery to " + string(in.LogDestinationType))
	case in.LogGroupName != nil && in.LogDestination != nil:
		return invalidFlowLog("Please only provide LogGroupName or only provide LogDestination.")
	case in.LogGroupName == nil && in.LogDestination == nil:
		return invalidFlowLog("LogDestination can't be empty if LogGroupName is not provided.")
	case in.LogDestination != nil && (!named || group == ""):
		return invalidFlowLog("LogDestination: " + *in.LogDestination + " is not a valid ARN of a log group")
	case in.DeliverLogsPermissionArn == nil:
		return invalidFlowLog("DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.")
	case in.DestinationOptions != nil:
		return invalidFlowLog("DestinationOptions is not applicable for cloud-watch-logs delivery")
	}
	if in.LogGroupName != nil {
		group = *in.LogGroupName
	}
	f.LogGroup, f.Role, f.Destination = group, *in.DeliverLogsPermissionArn, prefix+group
	return nil
}

func invalidFlowLog(text string) error {
	return api.Errorf(http.StatusBadRequest, "InvalidParameter", "%s", text)
}

func unsupportedFlowLog(what string) error {
	return api.Errorf(http.StatusBadRequest, "UnsupportedOperation", "%s is not supported.", what)
}
