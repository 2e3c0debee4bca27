package cloudformation

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// principal is what the service is called in trust policies and records.
const principal = "cloudformation.amazonaws.com"

// Roles is what CloudFormation asks of IAM.
type Roles interface {
	// CheckPass refuses a caller who may not pass the role to the service.
	CheckPass(ctx context.Context, roleARN, service string) error
	// Authorize decides on an action that a call needs beside its own.
	Authorize(ctx context.Context, who *api.Caller, action string, resources []string, given map[string][]string) error
}

// Deps is what a Service is made of. All but the last three are required.
type Deps struct {
	Store    *store.Store
	Place    api.Place
	Zones    []string // of the region
	Roles    Roles
	Sessions api.Sessions
	Now      func() time.Time
	Log      *slog.Logger
	// Wait is for how long a call waits for what it began, at most: clients look after a
	// stack seldom, and find a small one finished.
	Wait time.Duration
}

// Service answers the CloudFormation API and drives the stacks.
type Service struct {
	Deps
	door api.Door

	stacks  *store.Table[Stack]
	events  *store.Table[Event]
	changes *store.Table[ChangeSet]

	mu      sync.Mutex
	drivers map[string]*driver // by the stack's key
	naming  sync.Mutex         // of new stacks, one at a time

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards; Open must follow.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Wait == 0 {
		d.Wait = 20 * time.Second
	}
	s := &Service{
		Deps:    d,
		stacks:  store.NewTable[Stack](d.Store, "cloudformation/stack"),
		events:  store.NewTable[Event](d.Store, "cloudformation/event"),
		changes: store.NewTable[ChangeSet](d.Store, "cloudformation/changeset"),
		drivers: map[string]*driver{},
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// UseDoor says where calls are made, before the first call. The front door is made of
// the services, this one too.
func (s *Service) UseDoor(d api.Door) { s.door = d }

// remembered is for how long deleted stacks are shown.
const remembered = 90 * 24 * time.Hour

// Open goes on with operations that were in progress when the service ended, and forgets
// stacks that were deleted long ago.
func (s *Service) Open(ctx context.Context) error {
	for key, r := range s.stacks.List("") {
		if !r.Deleted.IsZero() {
			if s.Now().Sub(r.Deleted) > remembered {
				if err := s.forget(ctx, key); err != nil {
					return err
				}
			}
			continue
		}
		if err := s.driver(key).resume(); err != nil {
			s.Log.Error("a stack cannot be gone on with", "stack", r.ID, "error", err)
		}
	}
	return ctx.Err()
}

// forget removes the records of a stack.
func (s *Service) forget(ctx context.Context, key string) error {
	var keys []string
	for k := range s.events.List(key + "/") {
		keys = append(keys, k)
	}
	for some := range slices.Chunk(keys, mostEvents) {
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			for _, k := range some {
				s.events.In(tx).Delete(k)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error { s.stacks.In(tx).Delete(key); return nil })
}

// Run goes on with what was in progress, and leaves operations where they are when ctx
// ends.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	if err := s.Open(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// Close leaves operations where they are.
func (s *Service) Close() {
	s.end()
	s.work.Wait()
}

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	v := &api.Service{ID: "cloudformation", Action: "cloudformation", Resource: s.ofResource}
	api.Add(v, "CreateStack", s.CreateStack, named(s, func(in *createIn) *string { return in.StackName }))
	api.Add(v, "UpdateStack", s.UpdateStack, named(s, func(in *updateIn) *string { return in.StackName }))
	api.Add(v, "DeleteStack", s.DeleteStack, named(s, func(in *deleteIn) *string { return in.StackName }))
	s.addRollbacks(v)
	s.addDescriptions(v)
	s.addTemplates(v)
	s.addChangeSets(v)
	s.addExports(v)
	s.addKeys(v)
	return v
}

// named says which stack a call is about, by its name or ARN.
func named[I any](s *Service, name func(*I) *string) func(context.Context, *I) []string {
	return func(_ context.Context, in *I) []string { return s.resource(name(in)) }
}
