package wire

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Codec holds the services it has tables of. It is safe for concurrent use.
type Codec struct {
	services map[string]*Service   // by ID
	signing  map[string][]*Service // by the service name of a credential scope
	targets  map[string]*Service   // by the prefix of X-Amz-Target
	versions map[string]*Service   // by API version, query services
}

// New reads the first line of each embedded table; the rest waits for a call.
func New() (*Codec, error) {
	return newCodec(tableTexts())
}

func newCodec(texts []string) (*Codec, error) {
	c := &Codec{
		services: map[string]*Service{}, signing: map[string][]*Service{},
		targets: map[string]*Service{}, versions: map[string]*Service{},
	}
	for _, text := range texts {
		h, err := parseHeader(text)
		if err != nil {
			return nil, err
		}
		s := &Service{header: h, table: table{text: text}}
		c.services[h.id] = s
		c.signing[h.signing] = append(c.signing[h.signing], s)
		if h.target != "" {
			// Smithy's clients say the shape's name alone, botocore's all of it.
			c.targets[h.target], c.targets[h.target[strings.LastIndexByte(h.target, '.')+1:]] = s, s
		}
		for _, p := range h.protocols {
			if p == queryProtocol || p == ec2Protocol {
				c.versions[h.version] = s
			}
		}
	}
	return c, nil
}

// Service returns the service of that ID ("iam", "elasticloadbalancingv2"), or
// nil.
func (c *Codec) Service(id string) *Service { return c.services[id] }

// Services lists the IDs of the services with a table.
func (c *Codec) Services() []string {
	var ids []string
	for id := range c.services {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// Service is one AWS service's wire form.
type Service struct {
	header
	table table

	ops   sync.Map // name -> *Operation
	plans plans

	routesOnce sync.Once
	routes     []route

	errorsOnce sync.Once
	errors     map[string]*shape // by code and by shape name
}

// ID names the service as the Go SDK's folder does.
func (s *Service) ID() string { return s.id }

// Signing is the service's name in credential scopes: "elasticloadbalancing".
func (s *Service) Signing() string { return s.signing }

// Version is the API's version: "2010-05-08".
func (s *Service) Version() string { return s.version }

// Operation is one operation of a service.
type Operation struct {
	Name string
	// Unsigned marks an operation that AWS takes without a signature.
	Unsigned bool

	service       *Service
	method, uri   string
	status        int
	input, output *ref // nil without
	wrapper       string
	errors        []string

	in, out [cborRPC + 1]atomic.Pointer[node] // plans, by protocol
}

// Operations lists the names of the service's operations.
func (s *Service) Operations() []string {
	s.table.load()
	var names []string
	for name := range s.table.opLine {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Operation returns the operation of that name, or nil.
func (s *Service) Operation(name string) *Operation {
	if op, ok := s.ops.Load(name); ok {
		return op.(*Operation)
	}
	s.table.load()
	line, ok := s.table.opLine[name]
	if !ok {
		return nil
	}
	op, _ := s.ops.LoadOrStore(strings.Clone(name), parseOperation(s, line))
	return op.(*Operation)
}

func parseOperation(s *Service, line string) *Operation {
	f := strings.Split(line, "\t")
	op := &Operation{Name: f[1], service: s, method: f[2], uri: f[3], status: 200, wrapper: f[7]}
	if f[4] != "" {
		op.status, _ = strconv.Atoi(f[4])
	}
	for i, into := range []**ref{&op.input, &op.output} {
		if f[5+i] != "" {
			r, _ := parseRef(f[5+i])
			*into = &r
		}
	}
	op.Unsigned = f[8] == "unsigned"
	op.errors = strings.Fields(f[9])
	return op
}

// plan is the operation's input or output plan for a Go struct type.
func (op *Operation) plan(t reflect.Type, p protocol, output bool) (*node, error) {
	slot, r := &op.in[p], op.input
	if output {
		slot, r = &op.out[p], op.output
	}
	if n := slot.Load(); n != nil && n.typ == t {
		return n, nil
	}
	use := ref{}
	if r != nil {
		use = *r
	}
	n, err := op.service.plans.compile(&op.service.table, use, t, p)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", op.service.id, op.Name, err)
	}
	slot.Store(n)
	return n, nil
}

// errorShape finds a modelled error by its code or its shape's name.
func (s *Service) errorShape(code string) *shape {
	s.errorsOnce.Do(func() {
		s.errors = map[string]*shape{}
		s.table.load()
		for name, line := range s.table.lines {
			if !strings.HasPrefix(line, "S\t") || !strings.Contains(line, "error=") {
				continue
			}
			sh, err := s.table.shape(name)
			if err != nil || sh.status == 0 {
				continue
			}
			s.errors[name] = sh
			if sh.code != "" {
				s.errors[sh.code] = sh
			}
		}
	})
	return s.errors[code]
}
