package pattern

import "strings"

// A Severity is what @severityLabel says.
type Severity uint8

// Severities.
const (
	NoSeverity Severity = iota
	Trace
	Debug
	Info
	Warning
	Error
	Fatal
)

// String is the label; a pattern without one has None.
func (s Severity) String() string {
	return [...]string{"None", "Trace", "Debug", "Info", "Warning", "Error", "Fatal"}[s]
}

var severities = func() map[string]Severity {
	all := map[string]Severity{}
	for s, words := range map[Severity]string{
		Trace: "trace", Debug: "debug", Info: "info notice information", Warning: "warn warning",
		Error: "error err exception severe", Fatal: "fatal critical panic emergency alert crit",
	} {
		for w := range strings.FieldsSeq(words) {
			all[w], all[strings.ToUpper(w)], all[strings.ToUpper(w[:1])+w[1:]] = s, s, s
		}
	}
	return all
}()

// severityOf is the severity that a word names.
func severityOf(s string) Severity {
	if len(s) < 3 || len(s) > 11 {
		return NoSeverity
	}
	return severities[s]
}

// isSeverityKey reports whether a key says that its value is a severity.
func isSeverityKey(s string) bool {
	switch s {
	case "level", "Level", "LEVEL", "severity", "Severity", "SEVERITY", "loglevel", "logLevel", "lvl", "levelname":
		return true
	}
	return false
}

// klog is the severity of klog's headers: E1122 is an error of November 22.
func klog(s string) Severity {
	if !allDigits(s[1:]) {
		return NoSeverity
	}
	switch s[0] {
	case 'I':
		return Info
	case 'W':
		return Warning
	case 'E':
		return Error
	case 'F':
		return Fatal
	}
	return NoSeverity
}

// severityIn is the severity that a pattern's text tells: that under a key for it, else
// the first word that names one.
func severityIn(text string) Severity {
	if len(text) > 2 && strings.HasPrefix(text[1:], "<Number-1>") {
		if s := klog(text[:1] + "0"); s != NoSeverity {
			return s
		}
	}
	found := NoSeverity
	isWord := func(c byte) bool {
		return bytesAre[c]&(letter|hexLetter|digit) != 0 || c == '_' || c == '-' || c == '.'
	}
	lastWord := ""
	for i := 0; i < len(text); {
		if !isWord(text[i]) {
			i++
			continue
		}
		from := i
		for i < len(text) && isWord(text[i]) {
			i++
		}
		w := text[from:i]
		if s := severityOf(w); s != NoSeverity {
			if isSeverityKey(lastWord) {
				return s
			}
			if found == NoSeverity && !(i < len(text)-1 && (text[i] == '"' && text[i+1] == ':' || text[i] == '=')) {
				found = s
			}
		}
		lastWord = w
	}
	return found
}
