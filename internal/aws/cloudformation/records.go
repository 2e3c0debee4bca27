package cloudformation

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template/plan"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// Stack is the record of a stack, kept under NAME/UUID, the end of its ARN. Deleted
// ones stay.
type Stack struct {
	Name, ID    string
	Description string
	Status      stack.Status
	Reason      string
	Created     time.Time
	Updated     time.Time // when the last update began; zero without
	Deleted     time.Time // zero of a stack that is there

	Capabilities    []string
	RoleARN         string // "" of a stack whose callers act themselves
	Tags            []spec.Tag
	DisableRollback bool
	Protected       bool
	TimeoutMinutes  int32
	ChangeSet       string // ARN of the one executed last

	// Of the operation in progress, or the last one.
	Operation Operation

	// Exports are the stack's, by name; Imports the names of those that it uses.
	Exports map[string]string
	Imports []string

	Events    int64 // how many were recorded
	LastEvent time.Time
	State     packed[stack.State]
}

// Operation is a change of a stack.
type Operation struct {
	Call  string // CreateStack
	Token string // of the client
	Began time.Time
	Actor api.Caller // who asked for it, and acts where there is no role
}

// key is what the record is kept under.
func (s *Stack) key() string { return keyOf(s.ID) }

// keyOf is the end of a stack's ARN: NAME/UUID.
func keyOf(arn string) string {
	_, key, _ := strings.Cut(arn, ":stack/")
	return key
}

// Event is a record of what happened to a stack, kept under the stack's key and its
// number.
type Event struct {
	ID     string
	Time   time.Time
	Token  string // of the client
	Record stack.Record
	// Shown are the resource's properties, as JSON.
	Shown string
}

func eventKey(stackKey string, n int64) string { return fmt.Sprintf("%s/%012d", stackKey, n) }

// ChangeSet is a change that is kept aside, under its stack's key and its name.
type ChangeSet struct {
	Name, ID     string
	Description  string
	Created      time.Time
	Create       bool // makes the stack
	Status       string
	Execution    string
	Reason       string
	Capabilities []string
	RoleARN      string
	OnFailure    string
	Importing    bool // takes over what exists under a name of the template
	Nested       bool // covers nested stacks, of which there are none
	Token        string
	Body         packed[Proposal]
}

// Proposal is what a change set would make of its stack.
type Proposal struct {
	Deployment  stack.Deployment
	Description string
	Changes     []plan.Change
}

// packed is a large value, compressed: templates are stored several times.
type packed[T any] []byte

func pack[T any](v *T) (packed[T], error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(v); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (p packed[T]) open() (*T, error) {
	v := new(T)
	if len(p) == 0 {
		return v, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	return v, json.Unmarshal(text, v)
}
