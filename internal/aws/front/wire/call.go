package wire

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Call is one request on its way to an operation and its answer's way back.
type Call struct {
	Service   *Service   // nil where Route found none
	Operation *Operation // nil where Route found none

	r     *http.Request
	body  []byte
	proto protocol
	form  []pair // of query services
	query []pair // of REST services
	route *route
	path  string // escaped, with the bucket that the host named; of REST services
}

// Param returns a form parameter of a query call, "" without: "Version".
func (c *Call) Param(name string) string { return lookup(c.form, name) }

// Protocol is what the call speaks, as the models name it: "query", "ec2",
// "json", "rest-json", "rest-xml", "smithy-rpc-v2-cbor".
func (c *Call) Protocol() string {
	for name, p := range protocolNames {
		if p == c.proto {
			return name
		}
	}
	return ""
}

// plan checks that value is a pointer to a struct, and finds its plan.
func (c *Call) plan(value any, output bool) (*node, reflect.Value, error) {
	if c.Operation == nil {
		return nil, reflect.Value{}, errNoOperation
	}
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, v, errNoOperation
	}
	v = v.Elem()
	n, err := c.Operation.plan(v.Type(), c.proto, output)
	return n, v, err
}

// Decode fills in, a pointer to the operation's SDK input struct. Its errors
// are AWS's: MalformedInput, SerializationException and their kin.
func (c *Call) Decode(in any) error {
	n, v, err := c.plan(in, false)
	if err != nil {
		return err
	}
	switch c.proto {
	case queryProtocol, ec2Protocol:
		return decodeQuery(c, n, v, c.form)
	case cborRPC:
		return decodeCBOR(n, v, c.body)
	case noProtocol:
		return errNoOperation
	}
	if !utf8.Valid(c.body) && n.payload < 0 {
		return serialization("The body is not UTF-8")
	}
	if c.proto == jsonRPC {
		return decodeJSON(n, v, string(c.body))
	}
	return c.decodeREST(n, v)
}

// buffers are reused between answers; a huge one is left to the collector.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func withBuffer(f func(b []byte) []byte) {
	p := buffers.Get().(*[]byte)
	if b := f((*p)[:0]); cap(b) <= 1<<20 {
		*p = b
	}
	buffers.Put(p)
}

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>`

// Encode answers with out, a pointer to the operation's SDK output struct, or
// nil where the operation has none. An output that can't be written is
// answered as an internal failure, and returned for the daemon's log.
func (c *Call) Encode(w http.ResponseWriter, out any, requestID string) error {
	if out == nil {
		out = &struct{}{}
	}
	n, v, err := c.plan(out, true)
	if err != nil {
		c.Fail(w, err, requestID)
		return err
	}
	if body, ok := n.streamed(v); ok {
		return c.stream(w, n, v, body, requestID)
	}
	withBuffer(func(b []byte) []byte {
		var status int
		var contentType string
		var h http.Header
		if c.proto.rest() { // the others put nothing of the output there
			h = http.Header{}
		}
		status, contentType, b, err = c.encode(n, v, h, b, requestID)
		if err != nil {
			return b
		}
		for k, vs := range h {
			w.Header()[k] = vs
		}
		c.write(w, status, contentType, b, requestID)
		return b
	})
	if err != nil {
		c.Fail(w, err, requestID)
	}
	return err
}

func (c *Call) encode(n *node, v reflect.Value, h http.Header, b []byte, requestID string) (int, string, []byte, error) {
	switch c.proto {
	case queryProtocol:
		if c.wantsJSON() {
			b, err := c.encodeQueryJSON(n, v, b, requestID)
			return 200, "application/json", b, err
		}
		w := xmlWriter{b: b, indent: 2, format: iso8601}
		err := c.encodeQuery(&w, n, v, requestID)
		return 200, "text/xml", w.b, err
	case ec2Protocol:
		w := xmlWriter{b: append(b, xmlDeclaration...), indent: 4, format: ec2Time}
		err := c.encodeEC2(&w, n, v, requestID)
		return 200, "text/xml;charset=UTF-8", w.b, err
	case jsonRPC:
		if c.Operation.output == nil {
			return 200, c.jsonType(), b, nil
		}
		w := jsonWriter{b}
		err := w.structure(n, v)
		return 200, c.jsonType(), w.b, err
	case cborRPC:
		value, err := cborOf(n, v)
		if err != nil {
			return 0, "", b, err
		}
		return 200, "application/cbor", append(b, cbor.Encode(value)...), nil
	}
	return c.encodeREST(n, v, h, b)
}

// wantsJSON: the query services answer JSON to those who ask for it, as
// aws-iam-authenticator asks STS.
func (c *Call) wantsJSON() bool {
	accept := c.r.Header["Accept"]
	return len(accept) > 0 && strings.Contains(accept[0], "application/json")
}

func (c *Call) jsonType() string {
	if c.Service != nil && c.Service.jsonVersion == "1.0" {
		return "application/x-amz-json-1.0"
	}
	return "application/x-amz-json-1.1"
}

func (c *Call) namespace() string {
	if c.Service == nil {
		return ""
	}
	if c.Service.id == s3ID {
		return s3Namespace
	}
	if c.proto == ec2Protocol && !strings.HasSuffix(c.Service.namespace, "/") {
		return c.Service.namespace + "/" // so EC2 answers, whatever its model says
	}
	return c.Service.namespace
}

func (c *Call) encodeQuery(w *xmlWriter, n *node, v reflect.Value, requestID string) error {
	root := c.Operation.Name + "Response"
	w.open(root, c.namespace())
	if c.Operation.output != nil {
		result := orElse(c.Operation.wrapper, c.Operation.Name+"Result")
		w.open(result, "")
		at := len(w.b)
		if err := w.structure(n, v); err != nil {
			return err
		}
		w.endElement(result, at)
	}
	w.open("ResponseMetadata", "")
	w.text("RequestId", requestID)
	w.close("ResponseMetadata")
	w.close(root)
	w.b = append(w.b, '\n')
	return nil
}

func (c *Call) encodeQueryJSON(n *node, v reflect.Value, b []byte, requestID string) ([]byte, error) {
	w := jsonWriter{append(b, '{')}
	w.b = append(appendJSONString(w.b, c.Operation.Name+"Response"), `:{`...)
	if c.Operation.output != nil {
		w.b = append(appendJSONString(w.b, orElse(c.Operation.wrapper, c.Operation.Name+"Result")), ':')
		if err := w.structure(n, v); err != nil {
			return w.b, err
		}
		w.b = append(w.b, ',')
	}
	w.b = appendJSONString(append(w.b, `"ResponseMetadata":{"RequestId":`...), requestID)
	return append(w.b, "}}}"...), nil
}

func (c *Call) encodeEC2(w *xmlWriter, n *node, v reflect.Value, requestID string) error {
	root := c.Operation.Name + "Response"
	w.open(root, c.namespace())
	w.text("requestId", requestID)
	if len(n.fields) == 0 {
		w.text("return", "true")
	}
	if err := w.structure(n, v); err != nil {
		return err
	}
	w.close(root)
	return nil
}

// write sends an answer. Header names are spelled as AWS spells them.
func (c *Call) write(w http.ResponseWriter, status int, contentType string, b []byte, requestID string) {
	h := w.Header()
	switch {
	case c.Service != nil && c.Service.id == s3ID:
		h["x-amz-request-id"] = []string{requestID}
	case c.proto == ec2Protocol:
		h["x-amzn-requestid"] = []string{requestID}
	default:
		h["x-amzn-RequestId"] = []string{requestID}
	}
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	if c.proto == cborRPC {
		h["smithy-protocol"] = []string{"rpc-v2-cbor"}
	}
	if c.r != nil && c.r.Method == http.MethodHead && status < 300 {
		// The length is of what a GET would answer.
	} else if status != http.StatusNotModified && status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(b))}
	}
	w.WriteHeader(status)
	if c.r == nil || c.r.Method != http.MethodHead {
		_, _ = w.Write(b) // the caller left; there is nobody to tell
	}
}
