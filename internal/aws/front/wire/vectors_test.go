package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/aws/front/wire/internal/c2j"
)

// The public protocol vectors, seen from the server: what a client serialized
// must decode to the parameters, and the result must encode to the response a
// client was given. Each vector brings its own shapes, so the Go structs are
// made by reflection.

type suite struct {
	Description string                     `json:"description"`
	Metadata    c2j.Metadata               `json:"metadata"`
	RawShapes   map[string]json.RawMessage `json:"shapes"`
	Cases       []vector                   `json:"cases"`
}

type vector struct {
	Given      c2j.Operation   `json:"given"`
	Params     json.RawMessage `json:"params"`
	Result     json.RawMessage `json:"result"`
	Serialized struct {
		Method  string            `json:"method"`
		URI     string            `json:"uri"`
		Body    string            `json:"body"`
		Headers map[string]string `json:"headers"`
	} `json:"serialized"`
	Response struct {
		Status  int               `json:"status_code"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
}

// skipped vectors, by "input/query" and description: what they test is not
// the server's.
var skipped = map[string]string{
	"Idempotency token auto fill":         "the client invents the token; the parameters don't show it",
	"unmodeled non-json response payload": "a client's leniency with bodies no service sends",
	"Ignores undefined output":            "a client's leniency with members no model has",
	"Ignores extra data":                  "likewise",
	"Header whitespace":                   "a client trims; HTTP never shows a server the spaces",
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/protocol/*/*.json")
	if err != nil || len(files) != 10 {
		t.Fatalf("expected 10 files of vectors, found %d (%v)", len(files), err)
	}
	ran, left := 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suites []suite
		if err := json.Unmarshal(b, &suites); err != nil {
			t.Fatal(file, err)
		}
		direction, name := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".json")
		for _, s := range suites {
			if skipped[s.Description] != "" {
				left += len(s.Cases)
				continue
			}
			for i := range s.Cases {
				ran++
				t.Run(fmt.Sprintf("%s/%s/%s/%d", direction, name, s.Description, i), func(t *testing.T) {
					if direction == "input" {
						s.input(t, &s.Cases[i])
					} else {
						s.output(t, &s.Cases[i])
					}
				})
			}
		}
	}
	t.Logf("%d vectors run, %d left out", ran, left)
	if ran < 200 {
		t.Errorf("only %d vectors ran", ran)
	}
}

// model gathers a suite's shapes and one case's operation. Old models put
// locations on shapes; they belong to the members.
func (s *suite) model(t *testing.T, v *vector) *c2j.Model {
	m := &c2j.Model{Metadata: s.Metadata, Operations: map[string]*c2j.Operation{}, Shapes: map[string]*c2j.Shape{}}
	location, wire := map[string]string{}, map[string]string{}
	for name, raw := range s.RawShapes {
		sh := &c2j.Shape{}
		if err := json.Unmarshal(raw, sh); err != nil {
			t.Fatal(err)
		}
		var extra struct {
			Location     string `json:"location"`
			LocationName string `json:"locationName"`
			JSONValue    bool   `json:"jsonvalue"`
		}
		_ = json.Unmarshal(raw, &extra)
		location[name], wire[name] = extra.Location, extra.LocationName
		sh.Union = false // the wire is the same; an interface can't be made by reflection
		m.Shapes[name] = sh
	}
	for _, sh := range m.Shapes {
		refs := []*c2j.Ref{sh.Member, sh.Key, sh.Value}
		for _, r := range sh.Members.Refs {
			refs = append(refs, r)
		}
		for _, r := range refs {
			if r == nil {
				continue
			}
			if r.Location == "" {
				r.Location = location[r.Shape]
			}
			if r.LocationName == "" {
				r.LocationName = wire[r.Shape]
			}
		}
	}
	op := v.Given
	if op.Name == "" {
		op.Name = "OperationName"
	}
	if op.HTTP.Method == "" {
		op.HTTP.Method, op.HTTP.RequestURI = "POST", "/"
	}
	m.Operations[op.Name] = &op
	for _, r := range []*c2j.Ref{op.Input, op.Output} {
		if r != nil && r.Payload != "" {
			m.Shapes[r.Shape].Payload = r.Payload
		}
	}
	return m
}

func (s *suite) service(t *testing.T, m *c2j.Model) *Service {
	codec, err := newCodec([]string{c2j.Render("vector", m)})
	if err != nil {
		t.Fatal(err)
	}
	return codec.Service("vector")
}

func (s *suite) input(t *testing.T, v *vector) {
	m := s.model(t, v)
	svc := s.service(t, m)
	in := v.Given.Input
	if in == nil {
		t.Skip("the operation has no input: nothing to decode")
	}
	typ := goType(m, in, 0)
	want := reflect.New(typ)
	setJSON(t, m, in, want.Elem(), v.Params)

	target := orElse(v.Serialized.URI, "/")
	r := httptest.NewRequest(orElse(v.Serialized.Method, orElse(v.Given.HTTP.Method, "POST")), target, strings.NewReader(v.Serialized.Body))
	for k, x := range v.Serialized.Headers {
		r.Header.Set(k, x)
	}
	call := s.call(t, svc, v, r)
	got := reflect.New(typ)
	if err := call.Decode(got.Interface()); err != nil {
		t.Fatalf("decode %s %s %s: %v", r.Method, target, v.Serialized.Body, err)
	}
	// A client without a payload structure sends {}: to a server, an empty one.
	if name := m.Shapes[in.Shape].Payload; name != "" && strings.TrimSpace(v.Serialized.Body) == "{}" {
		indirect(want.Elem().FieldByName(capitalize(name)))
	}
	if d := cmp.Diff(want.Interface(), got.Interface(), sameStruct); d != "" {
		t.Errorf("%s %s\n%s\n(-parameters +decoded):\n%s", r.Method, target, v.Serialized.Body, d)
	}
}

func (s *suite) call(t *testing.T, svc *Service, v *vector, r *http.Request) *Call {
	body := []byte(v.Serialized.Body)
	call := &Call{Service: svc, r: r, body: body, proto: svc.protocols[0]}
	if call.proto.rest() {
		routed, err := call.routeREST(svc, r.URL.EscapedPath())
		if err != nil {
			t.Fatalf("%s %s does not match %s: %v", r.Method, r.URL, v.Given.HTTP.RequestURI, err)
		}
		return routed
	}
	call.Operation = svc.Operation(orElse(v.Given.Name, "OperationName"))
	if call.proto == queryProtocol || call.proto == ec2Protocol {
		if err := call.readForm(); err != nil {
			t.Fatal(err)
		}
	}
	return call
}

func (s *suite) output(t *testing.T, v *vector) {
	m := s.model(t, v)
	svc := s.service(t, m)
	if v.Given.Output == nil {
		t.Skip("the operation has no output: nothing to encode")
	}
	typ := goType(m, v.Given.Output, 0)
	out := reflect.New(typ)
	setJSON(t, m, v.Given.Output, out.Elem(), v.Result)

	call := &Call{Service: svc, Operation: svc.Operation(orElse(v.Given.Name, "OperationName")), r: httptest.NewRequest("POST", "/", nil), proto: svc.protocols[0]}
	rec := httptest.NewRecorder()
	if err := call.Encode(rec, out.Interface(), "request-id"); err != nil {
		t.Fatal(err)
	}
	if rec.Code != v.Response.Status {
		t.Errorf("status %d, not %d", rec.Code, v.Response.Status)
	}
	for k, x := range v.Response.Headers {
		if k == "Content-Length" {
			continue // the body's own
		}
		if got := rec.Header().Get(k); !sameHeader(got, x) {
			t.Errorf("header %s is %q, not %q", k, got, x)
		}
	}
	got, want := rec.Body.String(), v.Response.Body
	isMap := strings.Contains(strings.ToLower(s.Description), "map")
	switch {
	case json.Valid([]byte(want)) && json.Valid([]byte(got)):
		if d := cmp.Diff(normalJSON(t, want), normalJSON(t, got)); d != "" {
			t.Errorf("(-vector +encoded):\n%s", d)
		}
	case call.proto.xml() && strings.HasPrefix(want, "<"):
		if d := cmp.Diff(normalXML(t, want, isMap), normalXML(t, got, isMap)); d != "" {
			t.Errorf("%s\n(-vector +encoded):\n%s", got, d)
		}
	case got != want:
		t.Errorf("body %q, not %q", got, want)
	}
}

// sameHeader compares as HTTP's readers do: booleans have no case, dates are
// instants.
func sameHeader(a, b string) bool {
	ta, oka := parseTime(a)
	tb, okb := parseTime(b)
	return strings.EqualFold(a, b) || oka && okb && ta.Equal(tb)
}

// normalJSON leaves out members without a value, and counts times in seconds.
func normalJSON(t *testing.T, text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return withoutNull(v)
}

func withoutNull(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x == nil {
				delete(v, k)
			} else {
				v[k] = withoutNull(x)
			}
		}
	case []any:
		v = slices.DeleteFunc(v, func(x any) bool { return x == nil })
		for i := range v {
			v[i] = withoutNull(v[i])
		}
		return v
	case string:
		// Clients take dates for seconds, and vectors use both.
		if tm, ok := parseTime(v); ok && strings.Contains(v, ":") {
			return float64(tm.Unix())
		}
	}
	return v
}

func normalTime(text string) string {
	if tm, ok := parseTime(text); ok && strings.Contains(text, ":") {
		return tm.Format(time.RFC3339)
	}
	return text
}

// element is an XML element, its children and text.
type element struct {
	name     string
	attrs    []string
	text     string
	children []*element
}

// normalXML is what stands in a document's result element. Members have no
// order and keep that of their kind, a list's; entries of a map have none.
func normalXML(t *testing.T, text string, isMap bool) []string {
	root := &element{}
	stack := []*element{root}
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		top := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &element{name: tok.Name.Local}
			for _, a := range tok.Attr {
				if a.Name.Local != "xmlns" && a.Name.Space != "xmlns" {
					e.attrs = append(e.attrs, a.Name.Local+"="+a.Value)
				}
			}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.CharData:
			top.text += string(tok)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	result := root.children[0]
	for _, c := range result.children {
		if strings.HasSuffix(c.name, "Result") {
			result = c
		}
	}
	result.children = slices.DeleteFunc(result.children, func(e *element) bool {
		return e.name == "ResponseMetadata" || strings.EqualFold(e.name, "requestId")
	})
	var members []string
	for _, c := range result.children {
		members = append(members, c.normal(isMap))
	}
	slices.SortStableFunc(members, byName(isMap))
	return members
}

func (e *element) normal(isMap bool) string {
	slices.Sort(e.attrs)
	name := e.name + strings.Join(e.attrs, ",")
	if len(e.children) == 0 {
		return name + "=" + normalTime(e.text)
	}
	var parts []string
	for _, c := range e.children {
		parts = append(parts, c.normal(isMap))
	}
	slices.SortStableFunc(parts, byName(isMap))
	return name + "={" + strings.Join(parts, "; ") + "}"
}

func byName(isMap bool) func(a, b string) int {
	return func(a, b string) int {
		if !isMap {
			a, _, _ = strings.Cut(a, "=")
			b, _, _ = strings.Cut(b, "=")
		}
		return strings.Compare(a, b)
	}
}

// goType makes the SDK's kind of struct for a shape; recursion ends at depth 9.
func goType(m *c2j.Model, r *c2j.Ref, depth int) reflect.Type {
	if r == nil {
		return reflect.TypeFor[struct{}]()
	}
	sh := m.Shapes[r.Shape]
	switch sh.Type {
	case "structure":
		var fields []reflect.StructField
		for _, name := range sh.Members.Names {
			mr := sh.Members.Refs[name]
			if depth > 8 && !slices.Contains([]string{"string", "integer"}, m.Shapes[mr.Shape].Type) {
				continue
			}
			ft := goType(m, mr, depth+1)
			if k := ft.Kind(); k != reflect.Slice && k != reflect.Map {
				ft = reflect.PointerTo(ft)
			}
			fields = append(fields, reflect.StructField{Name: capitalize(name), Type: ft})
		}
		return reflect.StructOf(fields)
	case "list":
		return reflect.SliceOf(goType(m, sh.Member, depth+1))
	case "map":
		return reflect.MapOf(reflect.TypeFor[string](), goType(m, sh.Value, depth+1))
	case "boolean":
		return reflect.TypeFor[bool]()
	case "integer", "long":
		return reflect.TypeFor[int64]()
	case "float", "double":
		return reflect.TypeFor[float64]()
	case "timestamp":
		return timeType
	case "blob":
		return bytesType
	default:
		return reflect.TypeFor[string]()
	}
}

// setJSON fills a value from a vector's parameters: the models' own JSON, with
// member names, times in seconds and blobs as plain text.
func setJSON(t *testing.T, m *c2j.Model, r *c2j.Ref, v reflect.Value, raw json.RawMessage) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return
	}
	sh := m.Shapes[r.Shape]
	must := func(into any) {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s as %s: %v", raw, sh.Type, err)
		}
	}
	switch sh.Type {
	case "structure":
		var members map[string]json.RawMessage
		must(&members)
		v = indirect(v)
		for name, x := range members {
			mr := sh.Members.Refs[name]
			f := v.FieldByName(capitalize(name))
			if mr == nil || !f.IsValid() {
				t.Fatalf("%s has no member %s", r.Shape, name)
			}
			setJSON(t, m, mr, f, x)
		}
	case "list":
		var items []json.RawMessage
		must(&items)
		v.Set(reflect.MakeSlice(v.Type(), 0, len(items)))
		for _, x := range items {
			if string(x) == "null" {
				continue // AWS's lists are not sparse
			}
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			setJSON(t, m, sh.Member, v.Index(v.Len()-1), x)
		}
	case "map":
		var items map[string]json.RawMessage
		must(&items)
		v.Set(reflect.MakeMap(v.Type()))
		for k, x := range items {
			e := reflect.New(v.Type().Elem()).Elem()
			setJSON(t, m, sh.Value, e, x)
			v.SetMapIndex(reflect.ValueOf(k), e)
		}
	case "timestamp":
		var sec float64
		must(&sec)
		tm, _ := unixTime(sec)
		indirect(v).Set(reflect.ValueOf(tm))
	case "blob":
		var s string
		must(&s)
		indirect(v).SetBytes([]byte(s))
	case "string", "character":
		if r.JSONValue {
			indirect(v).SetString(string(raw))
			return
		}
		var s string
		must(&s)
		indirect(v).SetString(s)
	default:
		must(indirect(v).Addr().Interface())
	}
}
