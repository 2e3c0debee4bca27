package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Parse reads the signature of a request, in either form.
//
// Its errors are Missing, Incomplete and, for the parts of the scope that need
// no knowledge of the service, BadScope.
func Parse(r *Request) (*Signature, error) {
	authorization, inHeader := r.Header["Authorization"]
	inQuery := strings.Contains(r.Query, "X-Amz-Signature=") || strings.Contains(r.Query, "X-Amz-Algorithm=")
	switch {
	case inHeader && inQuery, len(authorization) > 1:
		return nil, refuse(Incomplete, textTwoForms)
	case inHeader:
		return parseHeader(r, authorization[0])
	case inQuery:
		return parseQuery(r)
	}
	return nil, refuse(Missing, textMissing)
}

// parseHeader reads
//
//	Authorization: AWS4-HMAC-SHA256 Credential=K/D/R/S/aws4_request, SignedHeaders=host;x-amz-date, Signature=…
func parseHeader(r *Request, value string) (*Signature, error) {
	scheme, rest, _ := strings.Cut(value, " ")
	var credential, signedHeaders, signature string
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, ",")
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		key, val, ok := strings.Cut(part, "=")
		if !ok {
			return nil, refuse(Incomplete, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '"+hashed(value)+"'.")
		}
		switch key {
		case "Credential":
			credential = val
		case "SignedHeaders":
			signedHeaders = val
		case "Signature":
			signature = val
		}
	}
	stamp, dateErr := headerDate(r.Header)
	if scheme != Algorithm || credential == "" || signature == "" || signedHeaders == "" || dateErr != nil {
		return nil, incompleteHeader(value, scheme, credential, signature, signedHeaders, dateErr)
	}
	sig := &Signature{
		SignedHeaders: signedHeaders,
		Hex:           signature,
		SessionToken:  first(r.Header["X-Amz-Security-Token"]),
		Payload:       first(r.Header["X-Amz-Content-Sha256"]),
		Time:          stamp,
		Expires:       -time.Second,
	}
	if sent := first(r.Header["X-Amz-Date"]); len(sent) == len(TimeFormat) {
		sig.Timestamp = sent
	} else {
		sig.Timestamp = stamp.Format(TimeFormat)
	}
	if err := sig.setCredential(credential); err != nil {
		return nil, err
	}
	return sig, sig.checkForm()
}

// incompleteHeader lists all that an Authorization header lacks, as AWS does,
// without repeating its value, which may be a secret of another scheme.
func incompleteHeader(value, scheme, credential, signature, signedHeaders string, dateErr *Error) *Error {
	var lacks []string
	if credential == "" {
		lacks = append(lacks, "Authorization header requires 'Credential' parameter.")
	}
	if signature == "" {
		lacks = append(lacks, "Authorization header requires 'Signature' parameter.")
	}
	if signedHeaders == "" {
		lacks = append(lacks, "Authorization header requires 'SignedHeaders' parameter.")
	}
	if dateErr != nil {
		lacks = append(lacks, dateErr.Message)
	}
	if len(lacks) == 0 && scheme != Algorithm {
		return refuse(Incomplete, "Unsupported AWS 'algorithm': '"+printable(scheme)+"'.")
	}
	return refuse(Incomplete, strings.Join(lacks, " ")+" (Hashed with SHA-256 and encoded with Base64) Authorization="+hashed(value))
}

// headerDate is the time of X-Amz-Date, or else of Date.
func headerDate(h map[string][]string) (time.Time, *Error) {
	if sent := first(h["X-Amz-Date"]); sent != "" {
		t, ok := parseTime(sent)
		if !ok {
			return t, badDate(sent)
		}
		return t, nil
	}
	sent := first(h["Date"])
	if sent == "" {
		return time.Time{}, refuse(Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if t, ok := parseTime(sent); ok {
		return t, nil
	}
	t, err := time.Parse(time.RFC1123, sent)
	if err != nil {
		return t, badDate(sent)
	}
	return t.UTC(), nil
}

func badDate(sent string) *Error {
	return refuse(Incomplete, "Date must be in ISO-8601 'basic format'. Got '"+printable(sent)+"'. See http://en.wikipedia.org/wiki/ISO_8601")
}

// parseQuery reads the X-Amz-* parameters of a presigned request. Each may
// appear once.
func parseQuery(r *Request) (*Signature, error) {
	var algorithm, credential, date, expires, token, payload, signedHeaders, signature *string
	for rest := r.Query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		key, value, _ := strings.Cut(pair, "=")
		if strings.IndexByte(key, '%') >= 0 {
			key, _ = url.QueryUnescape(key)
		}
		if !strings.HasPrefix(key, "X-Amz-") {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			return nil, refuse(Incomplete, "The parameter '"+printable(key)+"' is not URL-encoded.")
		}
		var field **string
		switch key {
		case "X-Amz-Algorithm":
			field = &algorithm
		case "X-Amz-Credential":
			field = &credential
		case "X-Amz-Date":
			field = &date
		case "X-Amz-Expires":
			field = &expires
		case "X-Amz-Security-Token":
			field = &token
		case "X-Amz-Content-Sha256":
			field = &payload
		case "X-Amz-SignedHeaders":
			field = &signedHeaders
		case "X-Amz-Signature":
			field = &signature
		default:
			continue
		}
		if *field != nil {
			return nil, refuse(Incomplete, "The parameter '"+key+"' appears more than once.")
		}
		*field = &value
	}
	var lacks []string
	for _, p := range []struct {
		name  string
		value *string
	}{
		{"X-Amz-Algorithm", algorithm}, {"X-Amz-Credential", credential}, {"X-Amz-Signature", signature},
		{"X-Amz-SignedHeaders", signedHeaders}, {"X-Amz-Date", date},
	} {
		if p.value == nil || *p.value == "" {
			lacks = append(lacks, "AWS query-string parameters must include '"+p.name+"'.")
		}
	}
	if lacks != nil {
		return nil, refuse(Incomplete, strings.Join(lacks, " ")+" Re-examine the query-string parameters.")
	}
	if *algorithm != Algorithm {
		return nil, refuse(Incomplete, "Unsupported AWS 'algorithm': '"+printable(*algorithm)+"'.")
	}
	stamp, ok := parseTime(*date)
	if !ok {
		return nil, badDate(*date)
	}
	sig := &Signature{
		SignedHeaders: *signedHeaders,
		Hex:           *signature,
		Time:          stamp,
		Timestamp:     *date,
		Presigned:     true,
		Expires:       -time.Second,
		Payload:       first(r.Header["X-Amz-Content-Sha256"]),
	}
	if token != nil {
		sig.SessionToken = *token
	} else {
		sig.SessionToken = first(r.Header["X-Amz-Security-Token"])
	}
	if payload != nil {
		sig.Payload = *payload
	}
	if expires != nil {
		if n, err := strconv.ParseInt(*expires, 10, 32); err == nil && n >= 0 {
			sig.Expires = time.Duration(n) * time.Second
		}
	}
	if err := sig.setCredential(*credential); err != nil {
		return nil, err
	}
	return sig, sig.checkForm()
}

// setCredential splits KEY/DATE/REGION/SERVICE/aws4_request.
func (s *Signature) setCredential(credential string) error {
	if strings.Count(credential, "/") != 4 {
		return refuse(Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '"+printable(credential)+"'")
	}
	var end string
	s.AccessKeyID, end, _ = strings.Cut(credential, "/")
	s.Date, end, _ = strings.Cut(end, "/")
	s.Region, end, _ = strings.Cut(end, "/")
	s.Service, end, _ = strings.Cut(end, "/")
	if end != terminator {
		return refuse(BadScope, "Credential should be scoped with a valid terminator: '"+terminator+"', not '"+printable(end)+"'.")
	}
	if !strings.HasPrefix(s.Timestamp, s.Date) || len(s.Date) != 8 {
		return refuse(BadScope, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+printable(s.Date)+"' != '"+s.Timestamp[:8]+"', from '"+s.Timestamp+"'.")
	}
	return nil
}

// checkForm refuses what could never verify.
func (s *Signature) checkForm() error {
	if !lists(s.SignedHeaders, "host") {
		return refuse(BadScope, textHost)
	}
	return nil
}

// CheckScope refuses a signature whose scope names another service than the
// one called, or a region that valid does not accept.
func (s *Signature) CheckScope(service string, valid func(region string) bool) error {
	if !valid(s.Region) {
		return refuse(BadScope, "Credential should be scoped to a valid region.")
	}
	if s.Service != service {
		return refuse(BadScope, "Credential should be scoped to correct service: '"+service+"'.")
	}
	return nil
}

// parseTime reads TimeFormat, strictly, without allocating.
func parseTime(s string) (time.Time, bool) {
	if len(s) != len(TimeFormat) || s[8] != 'T' || s[15] != 'Z' {
		return time.Time{}, false
	}
	num := func(from, to int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := num(0, 4), num(4, 6), num(6, 8)
	hour, minute, second := num(9, 11), num(11, 13), num(13, 15)
	if year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// lists reports whether a semicolon-separated list holds name.
func lists(list, name string) bool {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ";")
		if one == name {
			return true
		}
	}
	return false
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// printable shortens and cleans a piece of a request for use in an error text.
func printable(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
}
