package wire

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// A table is UTF-8 text, one record a line, fields separated by tabs:
//
//	service ID SIGNING VERSION PROTOCOLS JSONVERSION TARGETPREFIX XMLNAMESPACE SERVICEID
//	O NAME METHOD URI STATUS INPUT OUTPUT RESULTWRAPPER FLAGS ERRORS    an operation
//	S NAME FLAGS MEMBER…                                                a structure, union or error
//	L NAME MIN MAX FLAGS ELEMENT                                        a list
//	M NAME MIN MAX FLAGS KEY VALUE                                      a map
//	T NAME MIN MAX FLAGS PATTERN                                        a string
//	E NAME FLAGS VALUE…                                                 an enumeration
//	V NAME MIN MAX FLAGS TYPE                                           any other scalar
//
// INPUT, OUTPUT, ELEMENT, KEY and VALUE are uses of a shape: its name, then
// words. A MEMBER is a name before that. The words: w= the wire name, q= the
// query name, l= the location (header, headers, uri, querystring, statusCode),
// t= the timestamp format, x= an XML namespace, g= the Go field; f flattened,
// @ an XML attribute, i an idempotency token, j JSON in a string, ! required,
// stream, s sensitive; of structures p= the payload member, union,
// eventstream, error=HTTP status, code= an error's code, fault (the service's).
//
// Strings cut from a table point into the program's read-only data.

// header is a table's first line.
type header struct {
	id, signing, version string
	protocols            []protocol
	jsonVersion, target  string
	namespace, serviceID string
}

func parseHeader(text string) (header, error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Split(line, "\t")
	if len(f) != 9 || f[0] != "service" {
		return header{}, fmt.Errorf("wire: not a table: %.60q", line)
	}
	h := header{id: f[1], signing: f[2], version: f[3], jsonVersion: f[5], target: f[6], namespace: f[7], serviceID: f[8]}
	for _, name := range strings.Split(f[4], ",") {
		p, ok := protocolNames[name]
		if !ok {
			return header{}, fmt.Errorf("wire: %s speaks the unknown protocol %q", h.id, name)
		}
		h.protocols = append(h.protocols, p)
	}
	return h, nil
}

// protocol is one of AWS's wire protocols.
type protocol uint8

const (
	noProtocol protocol = iota
	queryProtocol
	ec2Protocol
	restJSON
	jsonRPC
	restXML
	cborRPC
)

var protocolNames = map[string]protocol{
	"query": queryProtocol, "ec2": ec2Protocol, "rest-json": restJSON, "json": jsonRPC,
	"rest-xml": restXML, "smithy-rpc-v2-cbor": cborRPC,
}

func (p protocol) rest() bool { return p == restJSON || p == restXML }
func (p protocol) xml() bool  { return p == queryProtocol || p == ec2Protocol || p == restXML }

// kind is what a shape is.
type kind uint8

const (
	structKind kind = iota + 1
	unionKind
	listKind
	mapKind
	stringKind
	boolKind
	intKind
	floatKind
	timeKind
	blobKind
	eventsKind // an event stream: known, not spoken
)

// shape is one parsed line of a table.
type shape struct {
	name     string
	kind     kind
	min, max float64
	hasMin   bool
	hasMax   bool
	pattern  string
	enum     []string

	members []member
	payload string

	elem, key, value ref

	wire, namespace      string
	timeFormat           string
	flat, sensitive, doc bool

	status int // of an error
	code   string
	fault  bool
}

// ref is the use of a shape.
type ref struct {
	shape                string
	wire, query, goName  string
	location, timeFormat string
	namespace, nsPrefix  string
	flat, attr, token    bool
	jsonValue, streaming bool
}

type member struct {
	ref
	name     string
	required bool
}

// table is a service's shapes and operations, parsed as they are asked for.
type table struct {
	text string

	index  sync.Once
	mu     sync.Mutex
	lines  map[string]string // shape name -> line
	opLine map[string]string // operation name -> line
	shapes map[string]*shape
}

func (t *table) load() {
	t.index.Do(func() {
		t.lines, t.opLine, t.shapes = map[string]string{}, map[string]string{}, map[string]*shape{}
		for line := range strings.Lines(t.text) {
			line = strings.TrimSuffix(line, "\n")
			kind, rest, _ := strings.Cut(line, "\t")
			name, _, _ := strings.Cut(rest, "\t")
			switch kind {
			case "service":
			case "O":
				t.opLine[name] = line
			default:
				t.lines[name] = line
			}
		}
	})
}

// shape returns the shape of that name.
func (t *table) shape(name string) (*shape, error) {
	t.load()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.shapes[name]; ok {
		return s, nil
	}
	line, ok := t.lines[name]
	if !ok {
		return nil, fmt.Errorf("wire: no shape %q", name)
	}
	s, err := parseShape(line)
	if err != nil {
		return nil, err
	}
	t.shapes[name] = s
	return s, nil
}

var scalarKinds = map[string]kind{
	"boolean": boolKind, "integer": intKind, "long": intKind, "short": intKind, "byte": intKind,
	"float": floatKind, "double": floatKind, "timestamp": timeKind, "blob": blobKind,
	"bigInteger": intKind, "bigDecimal": floatKind,
}

func parseShape(line string) (*shape, error) {
	f := strings.Split(line, "\t")
	s := &shape{name: f[1]}
	bounds := func() error {
		var err error
		for i, into := range []*float64{&s.min, &s.max} {
			if f[2+i] != "" {
				if *into, err = strconv.ParseFloat(f[2+i], 64); err != nil {
					return fmt.Errorf("wire: shape %s: %w", s.name, err)
				}
			}
		}
		s.hasMin, s.hasMax = f[2] != "", f[3] != ""
		s.flags(f[4])
		return nil
	}
	short := func(n int) bool { return len(f) < n }
	switch {
	case f[0] == "S" && !short(3):
		s.kind = structKind
		s.flags(f[2])
		s.members = make([]member, 0, len(f)-3)
		for _, text := range f[3:] {
			name, use, _ := strings.Cut(text, " ")
			r, required := parseRef(use)
			s.members = append(s.members, member{r, name, required})
		}
		return s, nil
	case f[0] == "E" && !short(3):
		s.kind = stringKind
		s.flags(f[2])
		s.enum = f[3:]
		return s, nil
	case f[0] == "L" && !short(6):
		s.kind = listKind
		s.elem, _ = parseRef(f[5])
	case f[0] == "M" && !short(7):
		s.kind = mapKind
		s.key, _ = parseRef(f[5])
		s.value, _ = parseRef(f[6])
	case f[0] == "T" && !short(6):
		s.kind = stringKind
		s.pattern = f[5]
	case f[0] == "V" && !short(6):
		s.kind = scalarKinds[f[5]]
		if s.kind == 0 {
			return nil, fmt.Errorf("wire: shape %s is of the unknown type %q", s.name, f[5])
		}
	default:
		return nil, fmt.Errorf("wire: not a shape: %.60q", line)
	}
	return s, bounds()
}

func (s *shape) flags(text string) {
	for w := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "f":
			s.flat = true
		case "s":
			s.sensitive = true
		case "t":
			s.timeFormat = value
		case "w":
			s.wire = value
		case "x":
			s.namespace = value
		case "p":
			s.payload = value
		case "union":
			s.kind = unionKind
		case "eventstream":
			s.kind = eventsKind
		case "document":
			s.doc = true
		case "error":
			s.status, _ = strconv.Atoi(value)
		case "code":
			s.code = value
		case "fault":
			s.fault = true
		}
	}
}

func parseRef(text string) (r ref, required bool) {
	r.shape, text, _ = strings.Cut(text, " ")
	for w := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "w":
			r.wire = value
		case "q":
			r.query = value
		case "l":
			r.location = value
		case "t":
			r.timeFormat = value
		case "x":
			r.namespace = value
		case "xp":
			r.nsPrefix = value
		case "g":
			r.goName = value
		case "f":
			r.flat = true
		case "@":
			r.attr = true
		case "i":
			r.token = true
		case "j":
			r.jsonValue = true
		case "stream":
			r.streaming = true
		case "!":
			required = true
		}
	}
	return r, required
}
