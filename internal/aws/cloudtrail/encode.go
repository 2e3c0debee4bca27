package cloudtrail

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"reflect"
	"strconv"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
)

// mostOfField is CloudTrail's bound on requestParameters and responseElements.
const mostOfField = 100 << 10

// encoder writes events as JSON. It remembers how each SDK type is laid out;
// it belongs to one goroutine.
type encoder struct {
	plans map[reflect.Type]*plan
}

func newEncoder() *encoder { return &encoder{plans: map[reflect.Type]*plan{}} }

// event appends one line.
func (enc *encoder) event(b []byte, e *Event) []byte {
	caller := e.Caller
	if caller == nil {
		caller = &api.Caller{Type: api.Anonymous}
	}
	readOnly := ReadOnly(e.Name)

	b = append(b, `{"eventVersion":"1.11","userIdentity":`...)
	b = enc.identity(b, e, caller)
	b = append(b, `,"eventTime":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","eventSource":`...)
	b = appendString(b, Source(e.Service))
	b = append(b, `,"eventName":`...)
	b = appendString(b, e.Name)
	b = append(b, `,"awsRegion":`...)
	b = appendString(b, e.region())
	b = append(b, `,"sourceIPAddress":"`...)
	switch {
	case caller.Service != "":
		b = append(b, caller.Service...)
	case caller.SourceIP.IsValid():
		b = caller.SourceIP.AppendTo(b)
	}
	b = append(b, `","userAgent":`...)
	b = appendString(b, cmp.Or(caller.Service, caller.UserAgent))
	if e.ErrorCode != "" {
		b = append(b, `,"errorCode":`...)
		b = appendString(b, e.ErrorCode)
		b = append(b, `,"errorMessage":`...)
		b = appendString(b, e.ErrorMessage)
	}
	b = append(b, `,"requestParameters":`...)
	b = enc.parameters(b, e)
	b = append(b, `,"responseElements":`...)
	if e.ErrorCode != "" || !shown(e) {
		b = append(b, "null"...)
	} else {
		b = enc.field(b, e.Output)
	}
	if caller.AuthorizationID != "" && e.ErrorCode != "" {
		b = append(b, `,"additionalEventData":{"authorizationId":`...)
		b = append(appendString(b, caller.AuthorizationID), '}')
	}
	b = append(b, `,"requestID":`...)
	b = appendString(b, caller.RequestID)
	b = append(b, `,"eventID":"`...)
	if e.EventID != "" {
		b = append(b, e.EventID...)
	} else {
		b = appendUUID(b)
	}
	b = append(b, `","readOnly":`...)
	b = strconv.AppendBool(b, readOnly)
	b = resources(b, e)
	b = append(b, `,"eventType":"AwsApiCall","managementEvent":`...)
	b = strconv.AppendBool(b, !e.Data)
	b = append(b, `,"recipientAccountId":`...)
	b = appendString(b, e.Account)
	if caller.Endpoint != nil {
		b = append(b, `,"vpcEndpointId":`...)
		b = appendString(b, caller.Endpoint.ID)
		b = append(b, `,"vpcEndpointAccountId":`...)
		b = appendString(b, e.Account)
	}
	if e.Data {
		b = append(b, `,"eventCategory":"Data"`...)
	} else {
		b = append(b, `,"eventCategory":"Management"`...)
	}
	if e.TLS != 0 {
		b = append(b, `,"tlsDetails":{"tlsVersion":"`...)
		b = append(b, tlsVersion(e.TLS)...)
		b = append(b, `","cipherSuite":"`...)
		b = append(b, tls.CipherSuiteName(e.Cipher)...)
		b = append(b, `","clientProvidedHostHeader":`...)
		b = appendString(b, e.Host)
		b = append(b, '}')
	}
	return append(b, "}\n"...)
}

// shown says whether CloudTrail shows a call's response: a write's, and those of
// the read-only calls that hand out credentials.
func shown(e *Event) bool { return !ReadOnly(e.Name) || grants(e.Name) }

// grants marks those calls.
func grants(operation string) bool {
	switch operation {
	case "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot",
		"GetSessionToken", "GetFederationToken":
		return true
	}
	return false
}

// field appends a call's input or output; null when there is nothing in it.
func (enc *encoder) field(b []byte, v any) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	start := len(b)
	b = enc.value(b, reflect.ValueOf(v), 0)
	switch size := len(b) - start; {
	case size == len("{}"):
		b = append(b[:start], "null"...)
	case size > mostOfField:
		b = append(b[:start], `{"omitted":true,"originalSize":`...)
		b = strconv.AppendInt(b, int64(size), 10)
		b = append(b, `,"reason":"The field exceeds 100 KB"}`...)
	}
	return b
}

// identity appends userIdentity
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html).
func (enc *encoder) identity(b []byte, e *Event, c *api.Caller) []byte {
	var kind string
	switch c.Type {
	case api.Account:
		kind = "Root"
	case api.User:
		kind = "IAMUser"
	case api.AssumedRole:
		kind = "AssumedRole"
	case api.FederatedUser:
		kind = "FederatedUser"
	default:
		return enc.stranger(b, e)
	}
	b = append(b, `{"type":"`...)
	b = append(b, kind...)
	b = append(b, `","principalId":`...)
	b = appendString(b, c.UserID)
	b = append(b, `,"arn":`...)
	b = appendString(b, c.ARN)
	b = append(b, `,"accountId":`...)
	b = appendString(b, c.AccountID)
	b = append(b, `,"accessKeyId":`...)
	b = appendString(b, c.AccessKeyID)
	if c.Type == api.User {
		b = append(b, `,"userName":`...)
		b = appendString(b, c.Name)
	}
	if s := c.Session; s != nil {
		b = append(b, `,"sessionContext":{`...)
		if c.Type == api.AssumedRole || c.Type == api.FederatedUser {
			issuer := "Role"
			switch {
			case c.Type == api.FederatedUser && c.PrincipalID == c.AccountID:
				issuer = "Root"
			case c.Type == api.FederatedUser:
				issuer = "IAMUser"
			}
			b = append(b, `"sessionIssuer":{"type":"`...)
			b = append(b, issuer...)
			b = append(b, `","principalId":`...)
			b = appendString(b, c.PrincipalID)
			b = append(b, `,"arn":`...)
			b = appendString(b, c.PrincipalARN)
			b = append(b, `,"accountId":`...)
			b = appendString(b, c.AccountID)
			b = append(b, `,"userName":`...)
			b = appendString(b, c.Name)
			b = append(b, `},`...)
		}
		if s.Federated != nil {
			b = append(b, `"webIdFederationData":{"federatedProvider":`...)
			b = appendString(b, s.Federated.Provider)
			b = append(b, `,"attributes":{}},`...)
		}
		b = append(b, `"attributes":{"creationDate":"`...)
		b = s.IssuedAt.UTC().AppendFormat(b, time.RFC3339)
		b = append(b, `","mfaAuthenticated":"`...)
		b = strconv.AppendBool(b, s.MFA)
		b = append(b, `"}`...)
		if s.SourceIdentity != "" {
			b = append(b, `,"sourceIdentity":`...)
			b = appendString(b, s.SourceIdentity)
		}
		b = append(b, '}')
	}
	if c.Service != "" {
		b = append(b, `,"invokedBy":"`...)
		b = append(b, c.Service...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// stranger is the identity of a caller without AWS credentials: one with an
// identity provider's token, as far as the answer names it, or no one.
func (enc *encoder) stranger(b []byte, e *Event) []byte {
	if e.Name == "AssumeRoleWithWebIdentity" {
		provider, audience, subject := textField(e.Output, "Provider"), textField(e.Output, "Audience"), textField(e.Output, "SubjectFromWebIdentityToken")
		b = append(b, `{"type":"WebIdentityUser"`...)
		if subject != "" {
			b = append(b, `,"principalId":`...)
			b = appendString(b, provider+":"+audience+":"+subject)
			b = append(b, `,"userName":`...)
			b = appendString(b, subject)
			b = append(b, `,"identityProvider":`...)
			b = appendString(b, provider)
		}
		return append(b, '}')
	}
	return append(b, `{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}`...)
}

// textField is the value of a *string field of a pointer to a struct.
func textField(v any, name string) string {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return ""
	}
	f := p.Elem().FieldByName(name)
	if !f.IsValid() {
		return ""
	}
	if text, ok := f.Interface().(*string); ok && text != nil {
		return *text
	}
	return ""
}

// appendUUID appends a random (version 4) UUID.
func appendUUID(b []byte) []byte {
	var id [16]byte
	rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	b = hex.AppendEncode(b, id[:4])
	b = append(b, '-')
	b = hex.AppendEncode(b, id[4:6])
	b = append(b, '-')
	b = hex.AppendEncode(b, id[6:8])
	b = append(b, '-')
	b = hex.AppendEncode(b, id[8:10])
	b = append(b, '-')
	return hex.AppendEncode(b, id[10:])
}

// moment is how CloudTrail shows a time inside parameters.
func moment(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, "Jan 2, 2006, 3:04:05 PM")
	return append(b, '"')
}
