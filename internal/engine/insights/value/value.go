package value

import (
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/scan"
)

// A Kind is what a value is.
type Kind uint8

// Kinds of values.
const (
	Null Kind = iota
	Text
	Number
	Bool // counts as the number 1 or 0
	Time // counts as a number: milliseconds since 1970
	List
	Map
)

// A Value is null, which is the zero value, or one of the other kinds.
type Value struct {
	kind Kind
	num  float64 // Number, Bool, Time
	text string  // Text; Number: as it was written, if it was
	data *data   // List, Map
}

// data is what a list or map holds. Keys and items of a map go together, in the order in
// which they were written.
type data struct {
	keys  []string
	items []Value
}

// OfText is a text, which may read as a number.
func OfText(s string) Value { return Value{kind: Text, text: s} }

// OfNumber is a number, or null if f is none that can be written down (an infinity, or
// not a number).
func OfNumber(f float64) Value {
	if f-f != 0 {
		return Value{}
	}
	return Value{kind: Number, num: f}
}

// Written is a number that prints as it was written; null if s is no number.
func Written(s string) Value {
	f, ok := ParseNumber(s)
	if !ok {
		return Value{}
	}
	return Value{kind: Number, num: f, text: s}
}

// OfBool is true or false.
func OfBool(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// OfTime is a time, in milliseconds since 1970.
func OfTime(ms int64) Value { return Value{kind: Time, num: float64(ms)} }

// OfList is a list, which must not be changed afterwards.
func OfList(items []Value) Value { return Value{kind: List, data: &data{items: items}} }

// OfMap is a map of keys to the items at the same place. Neither must be changed
// afterwards. Of a key that is there twice the last counts.
func OfMap(keys []string, items []Value) Value {
	return Value{kind: Map, data: &data{keys: keys, items: items}}
}

// Scanned is a field of an event as its store holds it.
func Scanned(v scan.Value) Value {
	switch v.Kind {
	case scan.Text:
		return OfText(v.Text)
	case scan.Number:
		if n := Written(v.Text); n.kind != Null {
			return n
		}
		return OfText(v.Text) // 1e999: as a text it is at least printed
	case scan.Bool:
		return OfBool(v.Text == "true")
	}
	return Value{}
}

// Kind is what the value is.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.kind == Null }

// IsComposite reports whether the value is a list or a map.
func (v Value) IsComposite() bool { return v.kind >= List }

// Items are the items of a list or map; others have none.
func (v Value) Items() []Value {
	if v.data == nil {
		return nil
	}
	return v.data.items
}

// Keys are the keys of a map, each at the place of its item.
func (v Value) Keys() []string {
	if v.data == nil {
		return nil
	}
	return v.data.keys
}

// At is the item of a list at i, from 0; null if there is none.
func (v Value) At(i int) Value {
	if v.kind != List || i < 0 || i >= len(v.data.items) {
		return Value{}
	}
	return v.data.items[i]
}

// Get is the item of a map under key; null if there is none.
func (v Value) Get(key string) Value {
	if v.kind != Map {
		return Value{}
	}
	for i := len(v.data.keys) - 1; i >= 0; i-- {
		if v.data.keys[i] == key {
			return v.data.items[i]
		}
	}
	return Value{}
}

// Number is the value as a number, if it is one or is a text that reads as one.
func (v Value) Number() (float64, bool) {
	switch v.kind {
	case Number, Bool, Time:
		return v.num, true
	case Text:
		return ParseNumber(v.text)
	}
	return 0, false
}

// Milliseconds is the value as a time; times before 1970 are negative. A text in RFC 3339
// is a time, too, as in an audit event's stageTimestamp.
func (v Value) Milliseconds() (int64, bool) {
	f, ok := v.Number()
	if !ok && v.kind == Text && len(v.text) >= len("2006-01-02T15:04:05Z") && v.text[4] == '-' && v.text[10] == 'T' {
		t, err := time.Parse(time.RFC3339Nano, v.text)
		return t.UnixMilli(), err == nil
	}
	if !ok || f >= 1<<63 || f < -1<<63 {
		return 0, false
	}
	return int64(f), true
}

// Text is the value as functions of texts see it, if it is not null, a list or a map.
func (v Value) Text() (string, bool) {
	if v.kind == Null || v.kind >= List {
		return "", false
	}
	return v.String(), true
}

// String is the value as it is printed; null is empty.
func (v Value) String() string {
	switch v.kind {
	case Text:
		return v.text
	case Number:
		if v.text != "" {
			return v.text
		}
		return FormatNumber(v.num)
	case Bool:
		if v.num == 1 {
			return "1"
		}
		return "0"
	case Time:
		return FormatTime(int64(v.num))
	case List, Map:
		var b strings.Builder
		v.writeJSON(&b)
		return b.String()
	}
	return ""
}

// True reports whether a condition that has this value holds: numbers other than 0 and
// texts other than an empty one do, null, lists and maps don't.
func (v Value) True() bool {
	if f, ok := v.Number(); ok {
		return f != 0
	}
	return v.kind == Text && v.text != "" && v.text != "false"
}
