package detect

import (
	"encoding/json"
	"strconv"
	"strings"
)

// An auditEvent is an audit event's parts that rules look at.
// https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
type auditEvent struct {
	AuditID string `json:"auditID"`
	Verb    string `json:"verb"`
	User    struct {
		Username string `json:"username"`
	} `json:"user"`
	SourceIPs []string `json:"sourceIPs"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	RequestObject  any `json:"requestObject"`
	ResponseObject any `json:"responseObject"`
}

// read parses a message; nil if it is no event.
func read(message string) *auditEvent {
	e := &auditEvent{}
	if json.Unmarshal([]byte(message), e) != nil {
		return nil
	}
	return e
}

// row is the event as queries give one, of the columns that make findings.
func (e *auditEvent) row() map[string]string {
	row := map[string]string{
		"user.username": e.User.Username, "verb": e.Verb, "objectRef.resource": e.ObjectRef.Resource, "objectRef.subresource": e.ObjectRef.Subresource,
		"objectRef.namespace": e.ObjectRef.Namespace, "objectRef.name": e.ObjectRef.Name, "event": e.AuditID,
	}
	if n := len(e.SourceIPs); n > 0 {
		row["source"] = e.SourceIPs[n-1]
		if n > 1 {
			row["forwarded"] = e.SourceIPs[1]
		}
	}
	if e.ResponseStatus.Code != 0 {
		row["responseStatus.code"] = strconv.Itoa(e.ResponseStatus.Code)
	}
	return row
}

// at is what a value has at a path of keys; nil if it is not there.
func at(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// text is the text at a path.
func text(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}

// items is the list at a path.
func items(v any, path ...string) []any {
	list, _ := at(v, path...).([]any)
	return list
}

// written are the items that a request puts into one of the object's lists, as a binding's
// subjects: of a whole object or a merge patch those in it, of a JSON patch (a list of
// operations) those that its operations add. Where an operation reaches into an item, or
// takes it from elsewhere in the object, they are all that the answer has.
// https://www.rfc-editor.org/rfc/rfc6902
func (e *auditEvent) written(list string) []any {
	operations, patch := e.RequestObject.([]any)
	if !patch {
		return items(e.RequestObject, list)
	}
	var out []any
	for _, o := range operations {
		op, value := text(o, "op"), at(o, "value")
		item, within := strings.CutPrefix(text(o, "path"), "/"+list)
		switch {
		case op == "remove" || op == "test":
		case text(o, "path") == "" && op == "replace":
			out = append(out, items(value, list)...)
		case !within || item != "" && item[0] != '/':
		case op != "add" && op != "replace" || strings.Count(item, "/") > 1:
			return items(e.ResponseObject, list)
		case item == "":
			out = append(out, items(value)...)
		default:
			out = append(out, value)
		}
	}
	return out
}
