package resources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// Job is an order, with what is needed to carry it out. Its properties have no dynamic
// references any more.
type Job struct {
	stack.Order
	Place api.Place
	// Again says that the order may have been carried out before, but not before Since.
	Again bool
	Since time.Time
	// Call makes a call of a service, by the ID of its wire table, with an SDK input
	// struct; it answers with a pointer to the output's, or with an Unmade.
	Call func(ctx context.Context, service, operation string, in any) (any, error)
	// Initiated is told the id of what exists from now on. May be nil.
	Initiated func(id string)
}

// Made is what became of a creation or an update.
type Made struct {
	ID         string
	Attributes map[string]any // all that the type has
}

// Handler carries out the orders about one type.
type Handler struct {
	supports       []string // properties; nil is all
	create, update func(context.Context, *Job) (Made, error)
	remove         func(context.Context, *Job) error
	finder         // of types that can be taken over
}

// ErrReplace says that an update needs another resource.
var ErrReplace = errors.New("the resource cannot be updated in place")

// errCancelled is the end of what is of no use any more.
var errCancelled = errors.New("Resource creation cancelled") //lint:ignore ST1005 as CloudFormation writes it

// Find returns the handler of a type.
func Find(kind string) (*Handler, bool) {
	h, ok := handlers[kind]
	return h, ok
}

// Types lists the types that have handlers.
func Types() []string { return slices.Sorted(maps.Keys(handlers)) }

// Do carries out an order. With an error of a creation, Made has the id of what exists
// all the same. A deletion of what is not there is done.
func (h *Handler) Do(ctx context.Context, j *Job) (Made, error) {
	if j.Action == stack.ActDelete {
		if err := h.remove(ctx, j); err != nil && !gone(err) {
			return Made{}, err
		}
		return Made{}, nil
	}
	if err := h.check(j); err != nil {
		return Made{ID: j.PhysicalID}, err
	}
	if j.Action == stack.ActImport {
		return h.take(ctx, j)
	}
	if j.Action == stack.ActUpdate {
		if h.update == nil {
			return Made{}, ErrReplace
		}
		made, err := h.update(ctx, j)
		if made.ID == "" {
			made.ID = j.PhysicalID
		}
		if made.Attributes == nil {
			made.Attributes = j.After.Attributes
		}
		return made, err
	}
	// What may have been made before is made, so that it is known and can be deleted.
	if ctx.Err() != nil && j.PhysicalID == "" && !j.Again {
		return Made{}, errCancelled
	}
	made, err := h.create(ctx, j)
	if made.ID == "" {
		made.ID = j.PhysicalID
	}
	return made, err
}

// check refuses properties that the service here doesn't know.
func (h *Handler) check(j *Job) error {
	if h.supports == nil {
		return nil
	}
	kind, _ := spec.Find(j.Type)
	for _, name := range slices.Sorted(maps.Keys(j.Properties)) {
		if !slices.Contains(h.supports, name) && (kind == nil || name != kind.Tags) {
			return fmt.Errorf("Encountered unsupported property %s", name) //lint:ignore ST1005 as CloudFormation writes it
		}
	}
	return nil
}

// initiated tells that something exists.
func (j *Job) initiated(id string) {
	if j.PhysicalID = id; j.Initiated != nil {
		j.Initiated(id)
	}
}

// name is what the template calls a resource, or else the stack.
func (j *Job) name(property string) string {
	if s := text(j.Properties, property); s != "" {
		return s
	}
	return j.Name
}

// token is a client token: one for each order, of any stack.
func (j *Job) token() *string {
	stackID := ""
	for _, t := range j.SystemTags {
		if t.Key == "aws:cloudformation:stack-id" {
			stackID = t.Value
		}
	}
	sum := sha256.Sum256([]byte(stackID + "\x00" + j.Token))
	text := hex.EncodeToString(sum[:16])
	return &text
}

// mine says whether what a creation found in its way was made by an earlier run of
// it: it has a name of the stack's own making, or was made after the operation began.
func (j *Job) mine(created *time.Time) bool {
	if j.Order.Name != "" && j.Again {
		return true
	}
	return j.Again && created != nil && !created.Before(j.Since.Truncate(time.Second))
}

// call makes a call and gives its answer the type that it has.
func call[O any](ctx context.Context, j *Job, service, operation string, in any) (*O, error) {
	// A call is not broken off: what it did would be unknown.
	out, err := j.Call(context.WithoutCancel(ctx), service, operation, in)
	if err != nil {
		return nil, &Failed{Service: service, Err: err}
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("%s of %s answered with a %T", operation, service, out)
	}
	return o, nil
}

// do makes calls whose answers do not matter; the first error ends them.
type step struct {
	operation string
	in        any
}

func do(ctx context.Context, j *Job, service string, steps ...step) error {
	for _, s := range steps {
		if _, err := j.Call(context.WithoutCancel(ctx), service, s.operation, s.in); err != nil {
			return &Failed{Service: service, Err: err}
		}
	}
	return nil
}

// undo makes calls that take something away, and doesn't mind what is gone.
func undo(ctx context.Context, j *Job, service string, steps ...step) error {
	for _, s := range steps {
		if err := do(ctx, j, service, s); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// until asks again and again until it is so, for as long as limit.
func until(ctx context.Context, limit time.Duration, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return errors.New("Exceeded attempts to wait") //lint:ignore ST1005 as CloudFormation writes it
			}
			return errCancelled
		case <-time.After(pause):
		}
	}
}

// gone says whether an error tells that something is not there.
func gone(err error) bool {
	c := api.Code(err)
	return strings.Contains(c, "NotFound") || strings.HasPrefix(c, "NoSuch")
}

// exists says whether an error tells that something is there already.
func exists(err error) bool {
	c := api.Code(err)
	return strings.Contains(c, "AlreadyExists") || strings.Contains(c, "Duplicate") || c == "ResourceInUseException" || c == "BucketAlreadyOwnedByYou"
}
