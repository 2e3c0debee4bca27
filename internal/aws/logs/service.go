package logs

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/store"
)

// Group is a log group.
type Group struct {
	Name      string
	Created   int64 // ms since 1970
	Retention int32 // days; 0 for ever
	Protected bool  `json:",omitempty"` // from deletion
	Tags      map[string]string
}

// Stream is a log stream.
type Stream struct {
	Group, Name string
	Created     int64 // ms since 1970
}

// Deps is what a Service is made of.
type Deps struct {
	Store   *store.Store
	Place   api.Place
	Events  storage.Storage
	Dir     string // of files that belong to records
	Roles   Roles
	Buckets Buckets
	Topics  Topics
	// Client sends events to HTTP endpoints. It decides which addresses may be asked. Nil: all.
	Client *http.Client
	// Reaches refuses an endpoint that Client would never ask. Nil: it asks all.
	Reaches func(*url.URL) error
	// Sessions are what scheduled queries run as.
	Sessions api.Sessions
	// Metrics takes what metric filters find. It must not block. Nil: nobody does.
	Metrics func([]MetricPoint)
	Now     func() time.Time
	Log     *slog.Logger
}

// Roles is what the service asks of IAM.
type Roles interface {
	// Assumable says whether the role exists and its trust policy lets the service
	// principal assume it.
	Assumable(ctx context.Context, roleARN, service string) bool
	// CheckPass returns the AccessDenied error unless ctx's caller is allowed
	// iam:PassRole on the role, with iam:PassedToService as service.
	CheckPass(ctx context.Context, roleARN, service string) error
}

// Buckets is what the service asks of S3. Requests are a service principal's, on behalf
// of the resource of an ARN: the bucket's policy decides. Errors are NoSuchBucket and
// AccessDenied.
type Buckets interface {
	AdmitsAs(service, source, bucket, key string) error
	WriteAs(ctx context.Context, service, source, bucket, key, contentType string, data []byte) error
}

// Topics is what the service asks of SNS. A message is a service principal's, on behalf
// of the resource of an ARN: the topic's policy decides.
type Topics interface {
	PublishAs(ctx context.Context, service, source, topic, text string) error
}

// Service is CloudWatch Logs of one account.
type Service struct {
	Deps
	groups        *store.Table[Group]
	streams       *store.Table[Stream]
	metricFilters *store.Table[MetricFilter]
	subscriptions *store.Table[Subscription]
	cursors       *store.Table[Cursor] // of subscriptions, by their keys
	destinations  *store.Table[Destination]
	exports       *store.Table[Export]
	definitions   *store.Table[Definition]
	tables        *store.Table[LookupTable]
	scheduled     *store.Table[ScheduledQuery] // by id
	runs          *store.Table[ScheduledRun]   // of scheduled queries, by id and time

	door    api.Door
	making  sync.Mutex // of what has files beside its record
	meter   meter
	senders senders
	tails   tails
	queries queries
	closing chan struct{} // closed when Run ends
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Metrics == nil {
		d.Metrics = func([]MetricPoint) {}
	}
	s := &Service{
		Deps:          d,
		groups:        store.NewTable[Group](d.Store, "logs/group"),
		streams:       store.NewTable[Stream](d.Store, "logs/stream"),
		metricFilters: store.NewTable[MetricFilter](d.Store, "logs/metric-filter"),
		subscriptions: store.NewTable[Subscription](d.Store, "logs/subscription"),
		cursors:       store.NewTable[Cursor](d.Store, "logs/subscription-cursor"),
		destinations:  store.NewTable[Destination](d.Store, "logs/destination"),
		exports:       store.NewTable[Export](d.Store, "logs/export"),
		definitions:   store.NewTable[Definition](d.Store, "logs/query-definition"),
		tables:        store.NewTable[LookupTable](d.Store, "logs/lookup-table"),
		scheduled:     store.NewTable[ScheduledQuery](d.Store, "logs/scheduled-query"),
		runs:          store.NewTable[ScheduledRun](d.Store, "logs/scheduled-query-run"),
		closing:       make(chan struct{}),
	}
	if d.Dir != "" {
		s.queries.dir = filepath.Join(d.Dir, "queries")
	}
	if err := s.queries.load(); err != nil {
		d.Log.Error("earlier queries can't be read: they are forgotten", "error", err)
	}
	s.meter.emit = d.Metrics
	s.metricFilters.Watch(s.meter.note)
	return s
}

// sweep is how often events past their retention are let go of.
const sweep = 10 * time.Minute

// Run does what no call waits for, until ctx ends: it sends events to subscribers,
// exports, runs scheduled queries, and lets go of what is too old.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	defer close(s.closing)
	defer s.queries.stopAll()
	all.Go(func() { s.runSenders(ctx) })
	all.Go(func() { s.runExports(ctx) })
	all.Go(func() { s.runScheduled(ctx) })
	seconds, sweeps := time.NewTicker(time.Second), time.NewTicker(sweep)
	defer seconds.Stop()
	defer sweeps.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-seconds.C:
			s.meter.defaults(s.Now())
		case <-sweeps.C:
			s.expire()
			s.queries.forget(s.Now())
		}
	}
}

// expire lets go of events that their groups keep no longer.
func (s *Service) expire() {
	for _, g := range s.groups.List("") {
		if g.Retention == 0 {
			continue
		}
		if err := s.Events.Expire(g.Name, s.oldest(&g)); err != nil {
			s.Log.Error("events past their retention can't be removed", "group", g.Name, "error", err)
		}
	}
}

func (s *Service) groupARN(name string) string { return s.arn("log-group:" + name) }

// ofGroup and ofStream are the ARNs that policies match. A group's is that of a
// stream without a name, as AWS's refusals show it: policies write "NAME:*".
func (s *Service) ofGroup(name, identifier *string) []string {
	return []string{s.groupARN(s.named(name, identifier)) + ":log-stream:"}
}

func (s *Service) ofStream(name, identifier, stream *string) []string {
	return []string{s.groupARN(s.named(name, identifier)) + ":log-stream:" + aws.ToString(stream)}
}

// named is the group's name, which may be given by its ARN.
func (s *Service) named(name, identifier *string) string {
	if name != nil {
		return *name
	}
	return strings.TrimPrefix(strings.TrimSuffix(aws.ToString(identifier), ":*"), s.groupARN(""))
}

var (
	groupName  = regexp.MustCompile(`^[\.\-_/#A-Za-z0-9]{1,512}$`)
	streamName = regexp.MustCompile(`^[^:*]{1,512}$`)
)

func notFound(what string) error {
	return &types.ResourceNotFoundException{Message: aws.String("The specified log " + what + " does not exist.")}
}

func exists(what string) error {
	return &types.ResourceAlreadyExistsException{Message: aws.String("The specified log " + what + " already exists")}
}

func invalid(text string) error {
	return &types.InvalidParameterException{Message: aws.String(text)}
}

// unmatched is AWS's text for a member outside of its model's pattern.
func unmatched(value, member, pattern string) error {
	return invalid("1 validation error detected: Value '" + value + "' at '" + member + "' failed to satisfy constraint: Member must satisfy regular expression pattern: " + pattern)
}

func (s *Service) ms() int64 { return s.Now().UnixMilli() }
