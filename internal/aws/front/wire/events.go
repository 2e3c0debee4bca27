package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/eksact/eksact/internal/aws/api"
)

// patienceWithReader is how long a client may leave an event unread.
const patienceWithReader = time.Minute

// Events answers with a stream of events, which goes on until the operation or the
// client ends it.
func (c *Call) Events(ctx context.Context, w http.ResponseWriter, out *api.Events, requestID string) error {
	stream, err := c.eventStream()
	if err != nil {
		c.Fail(w, err, requestID)
		return err
	}
	h := w.Header()
	h["Content-Type"] = []string{"application/vnd.amazon.eventstream"}
	h["x-amzn-RequestId"] = []string{requestID}
	w.WriteHeader(http.StatusOK)
	door, encoder := http.NewResponseController(w), eventstream.NewEncoder()
	write := func(kind, name string, payload []byte) error {
		_ = door.SetWriteDeadline(time.Now().Add(patienceWithReader)) // a server without deadlines needs none
		m := eventstream.Message{Payload: payload}
		m.Headers.Set(":message-type", eventstream.StringValue(kind))
		m.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
		m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
		if err := encoder.Encode(w, m); err != nil {
			return err
		}
		return door.Flush()
	}
	if c.proto == jsonRPC { // the other members of the output, of which there are none
		if err := write("event", "initial-response", []byte("{}")); err != nil {
			return nil // the client left
		}
	}
	var unwritable error
	err = out.Run(ctx, func(event any) error {
		name, payload, err := c.event(stream, event)
		if err != nil {
			unwritable = err
			return err
		}
		return write("event", name, payload)
	})
	if unwritable != nil {
		return unwritable
	}
	if e := c.say(err); err != nil && e.shape != nil && stream.member(e.shape.name) != nil {
		_ = write("exception", stream.member(e.shape.name).name, c.failJSON(e, nil))
	}
	return nil
}

// eventStream is the shape of the operation's events.
func (c *Call) eventStream() (*shape, error) {
	if c.Operation == nil || c.Operation.output == nil || c.proto != jsonRPC {
		return nil, errNoOperation
	}
	t := &c.Service.table
	output, err := t.shape(c.Operation.output.shape)
	if err != nil {
		return nil, err
	}
	for _, m := range output.members {
		if s, err := t.shape(m.ref.shape); err == nil && s.kind == eventsKind {
			return s, nil
		}
	}
	return nil, fmt.Errorf("wire: %s answers no events", c.Operation.Name)
}

// member is the one that has a shape's name, nil without.
func (s *shape) member(of string) *member {
	for i := range s.members {
		if s.members[i].ref.shape == of {
			return &s.members[i]
		}
	}
	return nil
}

// event writes one as JSON. Its shape is named as its Go type.
func (c *Call) event(stream *shape, event any) (name string, payload []byte, err error) {
	v := reflect.ValueOf(event)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return "", nil, errors.New("wire: an event is a pointer to a struct")
	}
	v = v.Elem()
	m := stream.member(v.Type().Name())
	if m == nil {
		return "", nil, fmt.Errorf("wire: %s is no event of %s", v.Type(), stream.name)
	}
	n, err := c.Service.plans.compile(&c.Service.table, m.ref, v.Type(), c.proto)
	if err != nil {
		return "", nil, err
	}
	w := jsonWriter{}
	err = w.structure(n, v)
	return m.name, w.b, err
}
