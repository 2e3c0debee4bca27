package columns

import (
	"strings"
)

// textPlan is how messages of a template come to contain a text.
type textPlan struct {
	always  bool // between their values
	rebuild bool // perhaps across several values: messages must be looked at
	tests   []textTest
}

// textTest is what a slot's value must be like for its message to contain a text.
type textTest struct {
	slot     int
	within   string // the value contains it; empty: that can't be
	prefixes []string
	suffixes []string
	whole    []string
	key      string // tests of the same text with the same key ask the same
}

func (t *textTest) takes(raw string) bool {
	if t.within != "" && strings.Contains(raw, t.within) {
		return true
	}
	for _, s := range t.prefixes {
		if strings.HasPrefix(raw, s) {
			return true
		}
	}
	for _, s := range t.suffixes {
		if strings.HasSuffix(raw, s) {
			return true
		}
	}
	for _, s := range t.whole {
		if raw == s {
			return true
		}
	}
	return false
}

// planText finds how a text can occur in a template's messages. Between two values there
// is always at least a byte. The text isn't empty.
func planText(literals []string, slots []slot, text string) textPlan {
	var p textPlan
	for _, l := range literals {
		if strings.Contains(l, text) {
			return textPlan{always: true}
		}
	}
	for i, s := range slots {
		if i > 0 && spans(literals[i], slots[i-1].kind, s.kind, text) {
			p.rebuild = true
		}
		if t := planSlot(literals[i], literals[i+1], s.kind, text); t.key != "" {
			t.slot = i
			p.tests = append(p.tests, t)
		}
	}
	return p
}

// spans tells whether a text may reach from a value over a literal into the next.
func spans(literal string, before, after byte, text string) bool {
	for at := 1; ; at++ {
		i := strings.Index(text[at:], literal)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(literal)
		if end >= len(text) {
			return false
		}
		if (before != bare || ofBare(text[at-1])) && (after != bare || ofBare(text[end])) {
			return true
		}
	}
}

func planSlot(before, after string, kind byte, text string) textTest {
	var t textTest
	var key strings.Builder
	if fitsSlot(kind, text, false) {
		t.within = text
		key.WriteString("w")
	}
	for cut := 1; cut < len(text); cut++ {
		if strings.HasSuffix(before, text[:cut]) && fitsSlot(kind, text[cut:], true) {
			t.prefixes = append(t.prefixes, text[cut:])
			key.WriteString("\x00p" + text[cut:])
		}
		if strings.HasPrefix(after, text[cut:]) && fitsSlot(kind, text[:cut], false) {
			t.suffixes = append(t.suffixes, text[:cut])
			key.WriteString("\x00s" + text[:cut])
		}
	}
	for from := 1; from < len(text); from++ {
		if !strings.HasSuffix(before, text[:from]) {
			continue
		}
		for to := from; to < len(text); to++ {
			if strings.HasPrefix(after, text[to:]) && fitsSlot(kind, text[from:to], true) {
				t.whole = append(t.whole, text[from:to])
				key.WriteString("\x00e" + text[from:to])
			}
		}
	}
	if t.key = key.String(); t.key != "" {
		t.key += "\x00" + text
	}
	return t
}

// fitsSlot tells whether a text may be part of a value, at its beginning or anywhere.
func fitsSlot(kind byte, text string, beginning bool) bool {
	switch kind {
	case quoted:
		for i := range len(text) {
			// A quote in a value has a backslash before it.
			if text[i] == '"' && (i > 0 && text[i-1] != '\\' || i == 0 && beginning) || text[i] < 0x20 {
				return false
			}
		}
	case bare:
		for i := range len(text) {
			if !ofBare(text[i]) {
				return false
			}
		}
	}
	return true
}

// ofBare tells whether numbers, true, false or null have the byte.
func ofBare(c byte) bool { return strings.IndexByte("-+.0123456789Etrufalsn", c) >= 0 || c == 'e' }

// fitsForm tells whether values of a form may have a text in them.
func fitsForm(form byte, text string) bool {
	var of string
	switch form {
	case asInstants:
		of = "0123456789-T:.Z"
	case asInts:
		of = "0123456789-"
	case asUUIDs:
		of = "0123456789abcdef-"
	default:
		return true
	}
	for i := range len(text) {
		if strings.IndexByte(of, text[i]) < 0 {
			return false
		}
	}
	return true
}

// fits tells whether any of what a test asks for may be in values of a form.
func (t *textTest) fits(form byte) bool {
	if t.within != "" && fitsForm(form, t.within) {
		return true
	}
	for _, list := range [][]string{t.prefixes, t.suffixes, t.whole} {
		for _, s := range list {
			if fitsForm(form, s) {
				return true
			}
		}
	}
	return false
}

// only tells whether a test asks for a text within values and nothing else.
func (t *textTest) only() bool { return len(t.prefixes)+len(t.suffixes)+len(t.whole) == 0 }
