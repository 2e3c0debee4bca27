package wire

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Scalars as text: in query strings, headers, paths and XML.

// badValue is text that does not fit a member's type. Callers turn it into
// their protocol's error.
type badValue struct {
	text string
	want string
}

func (e *badValue) Error() string { return fmt.Sprintf("%q is not %s", e.text, e.want) }

// setText parses text into a scalar of the plan's type.
func (n *node) setText(v reflect.Value, text, format string) error {
	// The overwhelmingly common case needs no reflection beyond the address.
	if n.kind == stringKind && v.CanAddr() {
		switch p := v.Addr().Interface().(type) {
		case **string:
			s := text
			*p = &s
			return nil
		case *string:
			*p = text
			return nil
		}
	}
	switch n.kind {
	case stringKind:
		indirect(v).SetString(text)
	case boolKind:
		switch {
		case strings.EqualFold(text, "true") || text == "1":
			indirect(v).SetBool(true)
		case strings.EqualFold(text, "false") || text == "0":
			indirect(v).SetBool(false)
		default:
			return &badValue{text, "a Boolean"}
		}
	case intKind:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !n.setInt(indirect(v), i) {
			return &badValue{text, "an Integer"}
		}
	case floatKind:
		f, ok := parseFloat(text)
		if !ok {
			return &badValue{text, "a Double"}
		}
		indirect(v).SetFloat(f)
	case timeKind:
		t, ok := parseTime(text)
		if !ok {
			return &badValue{text, "a Timestamp"}
		}
		indirect(v).Set(reflect.ValueOf(t))
	case blobKind:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return &badValue{text, "base64"}
		}
		n.setBlob(v, b)
	default:
		return &badValue{text, "a structure"}
	}
	return nil
}

// setInt stores i unless it overflows.
func (n *node) setInt(v reflect.Value, i int64) bool {
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
	default:
		if i < 0 || v.OverflowUint(uint64(i)) {
			return false
		}
		v.SetUint(uint64(i))
	}
	return true
}

func (n *node) setBlob(v reflect.Value, b []byte) {
	if n.bytes {
		v = indirect(v)
		v.SetBytes(b)
		return
	}
	v.Set(reflect.ValueOf(io.NopCloser(bytes.NewReader(b))))
}

// blob reads an output's bytes.
func (n *node) blob(v reflect.Value) ([]byte, error) {
	if n.bytes {
		return v.Bytes(), nil
	}
	r := v.Interface().(io.Reader)
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	return io.ReadAll(r)
}

func parseFloat(text string) (float64, bool) {
	switch text {
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	case "NaN":
		return math.NaN(), true
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// appendText writes a scalar as text; v is not a pointer.
func (n *node) appendText(b []byte, v reflect.Value, format string) ([]byte, error) {
	switch n.kind {
	case stringKind:
		return append(b, v.String()...), nil
	case boolKind:
		return strconv.AppendBool(b, v.Bool()), nil
	case intKind:
		return appendInt(b, v), nil
	case floatKind:
		return appendFloat(b, v), nil
	case timeKind:
		return appendTime(b, timeOf(v), orElse(format, iso8601)), nil
	case blobKind:
		data, err := n.blob(v)
		if err != nil {
			return b, err
		}
		return base64.StdEncoding.AppendEncode(b, data), nil
	}
	return b, fmt.Errorf("wire: shape %s is no scalar", n.shape.name)
}

func appendInt(b []byte, v reflect.Value) []byte {
	if v.CanInt() {
		return strconv.AppendInt(b, v.Int(), 10)
	}
	return strconv.AppendUint(b, v.Uint(), 10)
}

func appendFloat(b []byte, v reflect.Value) []byte {
	switch f := v.Float(); {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	default:
		return strconv.AppendFloat(b, f, 'g', -1, v.Type().Bits())
	}
}

// timeOf reads a time without boxing it, where v lives in a struct.
func timeOf(v reflect.Value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}

// Timestamp formats of the models
// (https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait).
const (
	iso8601 = "iso8601"
	rfc822  = "rfc822"
	unix    = "unixTimestamp"
	// ec2Time always shows milliseconds, as EC2 does.
	ec2Time = "ec2"
)

func appendTime(b []byte, t time.Time, format string) []byte {
	t = t.UTC()
	switch format {
	case rfc822, "http-date":
		return t.AppendFormat(b, http.TimeFormat)
	case unix, "epoch-seconds":
		b = strconv.AppendInt(b, t.Unix(), 10)
		if ms := t.Nanosecond() / int(time.Millisecond); ms != 0 {
			if t.Unix() < 0 { // -1.5 is -2 s + 500 ms
				b = b[:len(b)-len(strconv.FormatInt(t.Unix(), 10))]
				return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', -1, 64)
			}
			b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
			for b[len(b)-1] == '0' {
				b = b[:len(b)-1]
			}
		}
		return b
	case ec2Time:
		return t.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	default:
		if t.Nanosecond() < int(time.Millisecond) {
			return t.AppendFormat(b, time.RFC3339) // which Go writes quicker than its like
		}
		return t.AppendFormat(b, "2006-01-02T15:04:05.999Z")
	}
}

// parseTime takes every form AWS takes: ISO 8601 with or without zone and
// fraction, a date, seconds since 1970, and HTTP dates.
func parseTime(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, false
	}
	if sec, err := strconv.ParseFloat(text, 64); err == nil {
		return unixTime(sec)
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z", "2006-01-02", http.TimeFormat, "Mon, 2 Jan 2006 15:04:05 GMT"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// unixTime is a time from seconds since 1970, to the millisecond, within the
// years 0 to 9999 that every format can show.
func unixTime(sec float64) (time.Time, bool) {
	if !(sec > -62135596800 && sec < 253402300800) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(sec * 1000))).UTC(), true
}
