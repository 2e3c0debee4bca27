package front

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/sigv4"
)

// Credentials knows access keys (package aws/sts).
type Credentials interface {
	// Resolve finds the secret and the owner of an access key. sessionToken is
	// what the request carries, "" without one. Errors: ErrUnknownKey,
	// ErrBadToken, ErrExpiredToken; anything else is an internal failure.
	//
	// Of the caller, the fields of the request are filled in by the front.
	Resolve(ctx context.Context, accessKeyID, sessionToken string, now time.Time) (secret string, who api.Caller, err error)
}

// Authorizer decides (package aws/iam, over engine/policy).
type Authorizer interface {
	// AuthorizeCall returns nil when who may perform action ("iam:CreateRole") on
	// every one of resources; otherwise an error whose text is AWS's sentence:
	// "User: … is not authorized to perform: … on resource: … because …".
	// The global condition keys follow from who; keys answers for those that
	// follow from the call and its resources, and for the resources' own policies.
	AuthorizeCall(ctx context.Context, who *api.Caller, action string, resources []string, keys api.Keys) error
}

// Messages encodes what decided a refusal (package aws/sts).
type Messages interface {
	// SealMessage returns "" of a refusal that has none.
	SealMessage(refusal error) string
}

// Recorder keeps events (package aws/cloudtrail).
type Recorder interface {
	Record(cloudtrail.Event)
	// Err says why events cannot be kept at the moment; calls are refused as
	// long as it does.
	Err() error
}

// Config is what a Front is made of. All but the last six are required.
type Config struct {
	Place       api.Place
	Codec       Codec
	Credentials Credentials
	Authorizer  Authorizer
	Recorder    Recorder
	Services    []*api.Service

	// Ways says how a connection came that was made to an address, and whether that
	// way is open. Nil: all came to the public address.
	Ways     func(to net.Addr) (w Way, open bool)
	Messages Messages         // nil: EC2's refusals have no encoded message
	Log      *slog.Logger     // discarded when nil
	Now      func() time.Time // the clock; time.Now when nil
	MaxBody  int              // bytes of a signed request's body; 8 MiB when 0
	Keys     int              // derived signing keys remembered; 1024 when 0
}

// unsignedBody bounds the body of a request whose access key is not known.
const unsignedBody = 256 << 10

// Front is the front door. It is an http.Handler; see Server for the timeouts
// it wants around it.
type Front struct {
	Config
	verifier *sigv4.Verifier
	services map[string]*service     // by the ID of their wire table
	owners   map[string]*api.Service // of resources, by the service in their ARNs
}

// service is a registered service, ready for look-ups.
type service struct {
	action string // prefix of IAM actions
	ops    map[string]*operation
}

type operation struct {
	api.Operation
	action string // "iam:CreateRole"
	tags   tagFields
	own    func(arn string) *policy.Program // a resource's own policy; nil: none has
	denied string                           // error code of refusals; "": that of the protocol
	events string                           // prefix of IAM actions, which names the event's source
}

// New checks the configuration and makes a Front. A service or operation
// registered twice, or without a handler, is an error.
func New(c Config) (*Front, error) {
	switch {
	case c.Codec == nil, c.Credentials == nil, c.Authorizer == nil, c.Recorder == nil:
		return nil, errors.New("front: a codec, credentials, an authorizer and a recorder are required")
	case c.Place.Region == "" || c.Place.AccountID == "":
		return nil, errors.New("front: a place with region and account is required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBody == 0 {
		c.MaxBody = 8 << 20
	}
	if c.Keys == 0 {
		c.Keys = 1024
	}
	f := &Front{Config: c, verifier: sigv4.NewVerifier(c.Keys), services: map[string]*service{}, owners: map[string]*api.Service{}}
	for _, s := range c.Services {
		if f.services[s.ID] != nil {
			return nil, fmt.Errorf("front: service %s is registered twice", s.ID)
		}
		ready := &service{action: s.Action, ops: map[string]*operation{}}
		for name, op := range s.Operations {
			if op.Input == nil || op.Handle == nil {
				return nil, fmt.Errorf("front: %s.%s has no handler", s.ID, name)
			}
			ready.ops[name] = &operation{Operation: op, action: actionOf(s, name), tags: findTags(reflect.TypeOf(op.Input())), own: s.Policy, denied: s.Denied, events: s.Action}
		}
		if s.Resource != nil {
			f.owners[s.Action] = s
		}
		f.services[s.ID] = ready
	}
	return f, nil
}

// find returns the registered operation of a call, or nil.
func (f *Front) find(c Call) *operation {
	if s := f.services[c.Service()]; s != nil {
		return s.ops[c.Operation()]
	}
	return nil
}

// validRegion reports whether a service may be signed for in a region: the one
// there is, or any for the global services, whose clients sign for us-east-1
// (legacy STS endpoint, IAM) or for where they think they are.
func (f *Front) validRegion(signing, region string) bool {
	return region == f.Place.Region || region != "" && global(signing)
}

func global(signing string) bool {
	switch signing {
	case "iam", "sts", "route53", "cloudfront", "organizations":
		return true
	}
	return false
}

// requestedRegion is aws:RequestedRegion: us-east-1 for the services that live
// only there.
func requestedRegion(signing, region string) string {
	if global(signing) && signing != "sts" {
		return "us-east-1"
	}
	return region
}

// ServeHTTP answers one call.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		// net/http sends it for a body that is to come alone, and botocore takes the
		// next answer on the connection for the one it waits for.
		w.WriteHeader(http.StatusContinue)
	}
	c := f.begin(w, r)
	defer c.end()
	if err := c.run(); err != nil {
		c.fail(err)
	}
}
