package cloudtrail

import (
	"reflect"
	"strings"
)

// S3's events: parameters by names of their own, and of calls on objects the
// resources
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html).

// keyOf is how a struct's field is called in events.
func keyOf(t reflect.Type, field string) string {
	if field == "Bucket" && strings.HasSuffix(t.PkgPath(), "/service/s3") {
		return "bucketName"
	}
	return lowerFirst(field)
}

// parameters appends requestParameters. S3's tell the host that was called, which
// may be what names the bucket.
func (enc *encoder) parameters(b []byte, e *Event) []byte {
	start := len(b)
	b = enc.field(b, e.Input)
	if e.Service != "s3" {
		return b
	}
	rest := string(b[start:])
	b = appendString(append(b[:start], `{"Host":`...), e.Host)
	if !strings.HasPrefix(rest, "{") {
		return append(b, '}') // null: there are no others
	}
	return append(append(b, ','), rest[1:]...)
}

// resources appends the bucket and the object of a data event.
func resources(b []byte, e *Event) []byte {
	bucket := textField(e.Input, "Bucket")
	if !e.Data || bucket == "" {
		return b
	}
	const arn = "arn:aws:s3:::"
	b = append(b, `,"resources":[`...)
	if key := textField(e.Input, "Key"); key != "" {
		b = append(b, `{"type":"AWS::S3::Object","ARN":`...)
		b = appendString(b, arn+bucket+"/"+key)
	} else {
		b = append(b, `{"type":"AWS::S3::Object","ARNPrefix":`...)
		b = appendString(b, arn+bucket+"/"+textField(e.Input, "Prefix"))
	}
	b = append(b, `},{"accountId":`...)
	b = appendString(b, e.Account)
	b = append(b, `,"type":"AWS::S3::Bucket","ARN":`...)
	b = appendString(b, arn+bucket)
	return append(b, `}]`...)
}
