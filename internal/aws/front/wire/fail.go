package wire

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Fail answers with an error: one modelled by the SDK, an *api.Error, or
// anything else, of which the client learns only that something failed.
func (c *Call) Fail(w http.ResponseWriter, err error, requestID string) {
	e := c.say(err)
	h := w.Header()
	for k := range h {
		// What a half-done answer may have set.
		if k == "Content-Length" || k == "Content-Type" {
			delete(h, k)
		}
	}
	withBuffer(func(b []byte) []byte {
		var contentType string
		switch c.proto {
		case restJSON, jsonRPC:
			contentType = "application/json"
			if c.proto == jsonRPC {
				contentType = c.jsonType()
			}
			h["x-amzn-ErrorType"] = []string{headerText(e.code)}
			b = c.failJSON(e, b)
		case cborRPC:
			contentType = "application/cbor"
			b = append(b, cbor.Encode(c.failCBOR(e))...)
			if c.Service != nil {
				fault := "Sender"
				if e.fault {
					fault = "Receiver"
				}
				h["x-amzn-query-error"] = []string{headerText(e.code + ";" + fault)}
			}
		default:
			contentType, b = c.failXML(e, b, requestID)
		}
		c.write(w, e.status, contentType, b, requestID)
		return b
	})
}

// failJSON writes the code, the message, and a modelled error's members.
func (c *Call) failJSON(e said, b []byte) []byte {
	b = append(b, '{')
	if c.proto == jsonRPC {
		b = append(appendJSONString(append(b, `"__type":`...), e.code), ',')
	}
	key := "message"
	if e.shape == nil && c.proto == jsonRPC && e.code == "AccessDeniedException" {
		key = "Message" // so say the services that refuse before they parse
	}
	b = appendJSONString(append(appendJSONString(b, key), ':'), e.message)
	c.errorMembers(e, func(n *node, f *field, v reflect.Value) {
		w := jsonWriter{}
		if w.value(f.node, v, f.format) == nil && json.Valid(w.b) {
			b = append(append(appendJSONString(append(b, ','), f.out), ':'), w.b...)
		}
	})
	return append(b, '}')
}

// failCBOR is the error's document: a modelled error is named by its shape there, and
// by its code in a header, for the services that spoke query before.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
func (c *Call) failCBOR(e said) cbor.Map {
	m := cbor.Map{"__type": cbor.String(e.code), "message": cbor.String(e.message)}
	if e.shape == nil {
		return m
	}
	m["__type"] = cbor.String(e.shape.name)
	for _, member := range e.shape.members {
		if member.name == "Message" {
			m["Message"] = cbor.String(e.message)
		}
	}
	c.errorMembers(e, func(_ *node, f *field, v reflect.Value) {
		if value, err := cborOf(f.node, v); err == nil {
			m[f.out] = value
		}
	})
	return m
}

// errorMembers visits what a modelled error carries besides its message.
func (c *Call) errorMembers(e said, visit func(n *node, f *field, v reflect.Value)) {
	if e.shape == nil {
		return
	}
	v := reflect.ValueOf(e.value)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	n, err := c.Service.plans.compile(&c.Service.table, ref{shape: e.shape.name}, v.Type(), c.proto)
	if err != nil {
		return
	}
	for i := range n.fields {
		f := &n.fields[i]
		if fv := v.Field(f.index); fieldName(f.m) != "Message" && !f.absent(fv) {
			visit(n, f, fv)
		}
	}
}

func (c *Call) failXML(e said, b []byte, requestID string) (contentType string, _ []byte) {
	kind := "Sender"
	if e.fault {
		kind = "Receiver"
	}
	if c.proto == queryProtocol && c.wantsJSON() {
		b = appendJSONString(append(b, `{"Error":{"Code":`...), e.code)
		b = appendJSONString(append(b, `,"Message":`...), e.message)
		b = appendJSONString(append(b, `,"Type":`...), kind)
		b = appendJSONString(append(b, `},"RequestId":`...), requestID)
		return "application/json", append(b, '}')
	}
	w := xmlWriter{b: b, indent: 2, format: iso8601}
	switch {
	case c.proto == ec2Protocol:
		w.b = append(w.b, xmlDeclaration...)
		w.indent = 0
		w.open("Response", "")
		w.open("Errors", "")
		w.open("Error", "")
		w.text("Code", e.code)
		w.text("Message", e.message)
		w.close("Error")
		w.close("Errors")
		w.text("RequestID", requestID)
		w.close("Response")
		return "text/xml;charset=UTF-8", w.b
	case c.Service != nil && c.Service.id == "s3":
		w.b = append(w.b, xmlDeclaration...)
		w.open("Error", "")
		w.text("Code", e.code)
		w.text("Message", e.message)
		for _, m := range e.members {
			w.text(m.Name, m.Value)
		}
		c.xmlMembers(&w, e)
		w.text("RequestId", requestID)
		w.text("HostId", requestID)
		w.close("Error")
		return "application/xml", w.b
	}
	if c.proto == restXML {
		w.b = append(w.b, xmlDeclaration...)
	}
	w.open("ErrorResponse", c.namespace())
	w.open("Error", "")
	w.text("Type", kind)
	w.text("Code", e.code)
	if e.message != "" {
		w.text("Message", e.message) // CLIs show the element's absence as nothing, its emptiness as "None"
	}
	c.xmlMembers(&w, e)
	w.close("Error")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	w.b = append(w.b, '\n')
	return "text/xml", w.b
}

func (c *Call) xmlMembers(w *xmlWriter, e said) {
	c.errorMembers(e, func(n *node, f *field, v reflect.Value) {
		at := len(w.b)
		if w.value(f.node, f.out, v, f.format, "") != nil {
			w.b = w.b[:at]
		}
	})
}
