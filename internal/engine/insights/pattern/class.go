package pattern

// A class is what kind of token something is, by its form.
type class uint8

const (
	word class = iota
	number
	address
	path
	timestamp
	dateOnly
	timeOnly
	uuid
	hexadecimal
	identifier
	url
	email
	arn
	key  // a key of JSON that is no name
	rest // all that follows
	classes
)

// names are those of tokens in patterns.
var names = [classes]string{
	word: "Token", number: "Number", address: "IP", path: "Path", timestamp: "Timestamp", dateOnly: "Date", timeOnly: "Time",
	uuid: "UUID", hexadecimal: "Hex", identifier: "ID", url: "URL", email: "Email", arn: "ARN", key: "Token", rest: "Token",
}

// expressions match a class's tokens. Tokens have no white space in them.
var expressions = [classes]string{
	word: `\S+`, number: `[-+]?\d\S*`, address: `[0-9a-fA-F.:/]+`, path: `/\S*`, timestamp: `\d\S+`, dateOnly: `[\d/-]+`, timeOnly: `[\d:.,]+`,
	uuid: `[0-9a-fA-F-]{36}`, hexadecimal: `(?:0[xX])?[0-9a-fA-F]+`, identifier: `[0-9A-Za-z]+`, url: `\S+`, email: `\S+`, arn: `arn:\S+`,
	key: `(?:[^"\\]|\\(?s:.))*`, rest: `(?s:.*)`,
}

// counted are the classes whose values are told apart.
func (c class) counted() bool { return c <= path }

// What a byte is, for classes and for the borders of tokens.
const (
	digit = 1 << iota
	hexLetter
	letter
	dot
	dash
	colon
	slash
	at
	space
	border // ends a token of text, as white space does
	other
	quote // from here on: what ends or changes a string of JSON
	backslash
)

var bytesAre = func() (t [256]uint16) {
	for c := range t {
		t[c] = other
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = digit
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = letter, letter
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c], t[c-0x20] = hexLetter, hexLetter
	}
	t['.'], t['-'], t[':'], t['/'], t['@'] = dot, dash, colon, slash, at
	for _, c := range " \t\n\r\v\f" {
		t[c] = space
	}
	for _, c := range ",;=()[]{}<>|'!?`" {
		t[c] = border
	}
	t['"'], t['\\'] = quote, backslash
	t[0] = border
	return t
}()

// classify tells a token's class, given what bytes are in it.
func classify(s string, has uint16) class {
	if s[0] == '/' {
		return path
	}
	if has&digit == 0 {
		switch {
		case has&(at|dot) == at|dot && s[0] != '@' && has&(slash|colon) == 0:
			return email
		case has&(colon|slash) == 0:
			return word
		}
		return named(s)
	}
	const plain = digit | hexLetter | letter
	switch {
	case has == digit:
		return number
	case has&^plain == 0:
		return alphanumeric(s, has)
	}
	first := bytesAre[s[0]]
	if len(s) == 36 && isUUID(s) {
		return uuid
	}
	if first == digit {
		if c, ok := moment(s); ok {
			return c
		}
	}
	switch {
	case has&^(digit|dot|colon|slash) == 0 && isV4(s), has&^(digit|hexLetter|colon|slash|dot) == 0 && isV6(s):
		return address
	case isNumber(s):
		return number
	case has&(at|dot) == at|dot && has&(slash|colon) == 0 && s[0] != '@':
		return email
	}
	return named(s)
}

// named are the classes told by how a token begins.
func named(s string) class {
	if len(s) > 4 && s[:4] == "arn:" {
		return arn
	}
	if i := scheme(s); i > 0 {
		return url
	}
	return word
}

// scheme is how long an URL's scheme is; 0 if s is no URL.
func scheme(s string) int {
	for i := 0; i+2 < len(s) && i < 12; i++ {
		if s[i] == ':' {
			if i > 0 && s[i+1] == '/' && s[i+2] == '/' {
				return i
			}
			return 0
		}
		if bytesAre[s[i]]&(letter|hexLetter|digit) == 0 && s[i] != '+' {
			return 0
		}
	}
	return 0
}

// alphanumeric classifies tokens of digits and letters alone.
func alphanumeric(s string, has uint16) class {
	switch {
	case len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x':
		return hexadecimal
	case has&letter == 0 && len(s) >= 8:
		return hexadecimal
	case isNumber(s):
		return number
	case len(s) >= 16:
		return identifier
	}
	return word
}

func isUUID(s string) bool {
	for i := range 36 {
		if c := bytesAre[s[i]]; i == 8 || i == 13 || i == 18 || i == 23 {
			if c != dash {
				return false
			}
		} else if c&(digit|hexLetter) == 0 {
			return false
		}
	}
	return true
}

// isNumber takes a sign, digits with a fraction, and a unit of up to three letters or an
// exponent.
func isNumber(s string) bool {
	i := 0
	if s[0] == '-' || s[0] == '+' {
		i = 1
	}
	start := i
	for i < len(s) && bytesAre[s[i]] == digit {
		i++
	}
	if i == start {
		return false
	}
	if i+1 < len(s) && s[i] == '.' && bytesAre[s[i+1]] == digit {
		for i++; i < len(s) && bytesAre[s[i]] == digit; i++ {
		}
	}
	if i+1 < len(s) && s[i]|0x20 == 'e' && (bytesAre[s[i+1]] == digit || s[i+1] == '-' || s[i+1] == '+') {
		for i += 2; i < len(s) && bytesAre[s[i]] == digit; i++ {
		}
		return i == len(s)
	}
	unit := s[i:]
	if unit == "%" || unit == "µs" || unit == "μs" {
		return true
	}
	for j := range len(unit) {
		if bytesAre[unit[j]]&(letter|hexLetter) == 0 {
			return false
		}
	}
	return len(unit) <= 3
}

// isV4 takes four numbers with dots, and a port or a mask.
func isV4(s string) bool {
	dots, digits := 0, 0
	for i := range len(s) {
		switch bytesAre[s[i]] {
		case digit:
			if digits++; digits > 3 {
				return false
			}
		case dot:
			if dots++; digits == 0 || dots > 3 {
				return false
			}
			digits = 0
		default:
			return dots == 3 && digits > 0 && i+1 < len(s) && allDigits(s[i+1:])
		}
	}
	return dots == 3 && digits > 0
}

func allDigits(s string) bool {
	for i := range len(s) {
		if bytesAre[s[i]] != digit {
			return false
		}
	}
	return true
}

// isV6 takes hexadecimal groups: eight, or fewer with a double colon.
func isV6(s string) bool {
	colons, double, run := 0, false, 0
	for i := range len(s) {
		switch bytesAre[s[i]] {
		case colon:
			if colons++; i > 0 && s[i-1] == ':' {
				double = true
			}
			run = 0
		case slash:
			return i > 0 && (double || colons == 7) && colons <= 8 && allDigits(s[i+1:])
		default:
			if run++; run > 4 {
				return false
			}
		}
	}
	return (double && colons >= 2 || colons == 7) && colons <= 8
}

// moment tells dates and times: 2026-11-22, 14:07:31.250, both with a T between them,
// 22/Nov/2026:14:07:31.
func moment(s string) (class, bool) {
	if isTime(s) {
		return timeOnly, true
	}
	n := dateLength(s)
	switch {
	case n == 0:
		return 0, false
	case n == len(s):
		return dateOnly, true
	case s[n] == 'T' || s[n] == ':' || s[n] == '-' || s[n] == '_':
		if len(s) >= n+6 && bytesAre[s[n+1]] == digit && s[n+3] == ':' {
			return timestamp, true
		}
	}
	return 0, false
}

// isTime takes hh:mm, hh:mm:ss and a fraction.
func isTime(s string) bool {
	if len(s) < 5 || bytesAre[s[1]] != digit || s[2] != ':' || !allDigits(s[3:5]) {
		return false
	}
	if s = s[5:]; s == "" {
		return true
	}
	if len(s) < 3 || s[0] != ':' || !allDigits(s[1:3]) {
		return false
	}
	s = s[3:]
	return s == "" || len(s) > 1 && (s[0] == '.' || s[0] == ',') && allDigits(s[1:])
}

// dateLength is how many bytes a date has that s begins with.
func dateLength(s string) int {
	if len(s) >= 10 && (s[4] == '-' || s[4] == '/') && s[7] == s[4] && allDigits(s[:4]) && allDigits(s[5:7]) && allDigits(s[8:10]) {
		return 10
	}
	if len(s) >= 10 && s[2] == '/' && s[5] == '/' && allDigits(s[:2]) && allDigits(s[3:5]) && allDigits(s[6:10]) {
		return 10
	}
	if len(s) >= 11 && s[2] == '/' && s[6] == '/' && allDigits(s[:2]) && bytesAre[s[3]]&(letter|hexLetter) != 0 && allDigits(s[7:11]) {
		return 11
	}
	return 0
}
