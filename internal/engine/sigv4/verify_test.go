package sigv4

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTime walks the borders of every window.
func TestTime(t *testing.T) {
	signed := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	verifier := NewVerifier(4)
	header, presigned := signedByHeader(t, signed), presignedURL(t, signed)
	for _, c := range []struct {
		name string
		r    *Request
		at   time.Duration
		want Kind
		text string
	}{
		{"now", header, 0, 0, ""},
		{"five minutes old", header, 5 * time.Minute, 0, ""},
		{"five minutes and a second old", header, 5*time.Minute + time.Second, Expired,
			"Signature expired: 20261123T190000Z is now earlier than 20261123T190001Z (20261123T190501Z - 5 min.)"},
		{"five minutes early", header, -5 * time.Minute, 0, ""},
		{"five minutes and a second early", header, -5*time.Minute - time.Second, NotYet,
			"Signature not yet current: 20261123T190000Z is still later than 20261123T185959Z (20261123T185459Z + 5 min.)"},
		{"presigned, past X-Amz-Expires", presigned, 2 * time.Minute, 0, ""},
		{"presigned, fifteen minutes old", presigned, 15 * time.Minute, 0, ""},
		{"presigned, replayed later", presigned, 15*time.Minute + time.Second, Expired,
			"Signature expired: 20261123T190000Z is now earlier than 20261123T190001Z (20261123T191501Z - 15 min.)"},
		{"presigned, early", presigned, -6 * time.Minute, NotYet, ""},
	} {
		sig, err := Parse(c.r)
		if err != nil {
			t.Fatal(err)
		}
		err = verifier.Verify(c.r, sig, testCreds.SecretAccessKey, RulesFor("sts"), signed.Add(c.at))
		if kindOf(err) != c.want || (err == nil) != (c.want == 0) {
			t.Errorf("%s: %v, want kind %v", c.name, err, c.want)
		}
		if e, ok := err.(*Error); ok && c.text != "" && e.Message != c.text {
			t.Errorf("%s: text %q, want %q", c.name, e.Message, c.text)
		}
	}
}

// TestExpires: where X-Amz-Expires is heeded, from 1 to 604800 seconds.
func TestExpires(t *testing.T) {
	signed := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		expires string
		after   time.Duration
		want    Kind
	}{
		{"1", time.Second, 0}, {"1", 2 * time.Second, Expired},
		{"604800", 604800 * time.Second, 0}, {"604800", 604801 * time.Second, Expired},
		{"604801", 0, BadExpires}, {"0", 0, BadExpires}, {"-1", 0, BadExpires}, {"x", 0, BadExpires}, {"", 0, BadExpires},
	} {
		sig := &Signature{Presigned: true, Time: signed, Timestamp: signed.Format(TimeFormat), Expires: -time.Second}
		if n, err := strconv.Atoi(c.expires); err == nil && n >= 0 {
			sig.Expires = time.Duration(n) * time.Second
		}
		if err := checkTime(sig, RulesFor("s3"), signed.Add(c.after)); kindOf(err) != c.want || (err == nil) != (c.want == 0) {
			t.Errorf("Expires=%q after %v: %v, want %v", c.expires, c.after, err, c.want)
		}
	}
}

// TestRefusals: what cannot be read is refused with AWS's texts.
func TestRefusals(t *testing.T) {
	const scope = "AKIA/20261123/us-west-2/sts/aws4_request"
	good := "AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64)
	const date = "20261123T190000Z"
	for _, c := range []struct {
		name, authorization, date, query string
		want                             Kind
		text                             string
	}{
		{"nothing", "", "", "", Missing, "Request is missing Authentication Token"},
		{"no date", good, "", "", Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		{"bad date", good, "2026-11-23", "", Incomplete, "Date must be in ISO-8601 'basic format'. Got '2026-11-23'."},
		{"31 February", good, "20260231T190000Z", "", Incomplete, "Date must be in"},
		{"basic", "Basic YTpi", date, "", Incomplete, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '"},
		{"no credential", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00", date, "", Incomplete, "Authorization header requires 'Credential' parameter."},
		{"no signature", "AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=host", date, "", Incomplete, "Authorization header requires 'Signature' parameter."},
		{"no headers", "AWS4-HMAC-SHA256 Credential=" + scope + ", Signature=00", date, "", Incomplete, "Authorization header requires 'SignedHeaders' parameter."},
		{"other algorithm", strings.Replace(good, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", 1), date, "", Incomplete, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
		{"slash in the key", strings.Replace(good, "AKIA/", "AK/IA/", 1), date, "", Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AK/IA/20261123/us-west-2/sts/aws4_request'"},
		{"other ending", strings.Replace(good, "aws4_request", "aws3_request", 1), date, "", BadScope, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3_request'."},
		{"other day", strings.Replace(good, "20261123", "20261122", 1), date, "", BadScope, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261122' != '20261123', from '20261123T190000Z'."},
		{"host not signed", strings.Replace(good, "host;", "", 1), date, "", BadScope, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"both forms", good, date, "X-Amz-Signature=00", Incomplete, "Only one auth mechanism allowed"},
		{"presigned, bare", "", "", "X-Amz-Signature=00", Incomplete, "AWS query-string parameters must include 'X-Amz-Algorithm'."},
		{"presigned, doubled", "", "", "X-Amz-Signature=00&X-Amz-Signature=01", Incomplete, "The parameter 'X-Amz-Signature' appears more than once."},
		{"presigned, doubled by escapes", "", "", "X-Amz-Date=1&X-Amz-Dat%65=2&X-Amz-Signature=01", Incomplete, "The parameter 'X-Amz-Date' appears more than once."},
	} {
		r := &Request{Method: "GET", Path: "/", Host: "h", Query: c.query, Header: map[string][]string{}}
		if c.authorization != "" {
			r.Header["Authorization"] = []string{c.authorization}
		}
		if c.date != "" {
			r.Header["X-Amz-Date"] = []string{c.date}
		}
		_, err := Parse(r)
		e, ok := err.(*Error)
		if !ok || e.Kind != c.want || !strings.HasPrefix(e.Message, c.text) {
			t.Errorf("%s: %v, want %v: %s", c.name, err, c.want, c.text)
		}
	}
}

func TestCheckScope(t *testing.T) {
	sig := &Signature{Region: "us-west-2", Service: "iam"}
	home := func(region string) bool { return region == "us-west-2" }
	if err := sig.CheckScope("iam", home); err != nil {
		t.Error(err)
	}
	if err := sig.CheckScope("sts", home); err == nil || err.(*Error).Message != "Credential should be scoped to correct service: 'sts'." {
		t.Error(err)
	}
	sig.Region = "eu-west-1"
	if err := sig.CheckScope("iam", home); err == nil || err.(*Error).Message != "Credential should be scoped to a valid region." {
		t.Error(err)
	}
}

// TestPayload: the declared hash must be the body's, and only S3 takes names.
func TestPayload(t *testing.T) {
	r := &Request{}
	copy(r.BodySHA256[:], "body")
	for _, c := range []struct {
		service, declared string
		want              Kind
	}{
		{"sts", "", 0}, {"sts", hexSum("other"), BadPayload}, {"sts", "UNSIGNED-PAYLOAD", BadPayload},
		{"sts", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", BadPayload}, {"s3", "UNSIGNED-PAYLOAD", 0},
		{"s3", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", 0}, {"s3", "nonsense", BadPayload}, {"s3", strings.Repeat("g", 64), BadPayload},
	} {
		if _, err := payloadText(r, &Signature{Payload: c.declared}, RulesFor(c.service)); kindOf(err) != c.want || (err == nil) != (c.want == 0) {
			t.Errorf("%s %q: %v, want %v", c.service, c.declared, err, c.want)
		}
	}
}

// TestKeyCacheIsBounded fills the cache far past its size.
func TestKeyCacheIsBounded(t *testing.T) {
	cache := newKeyCache(3)
	first := cache.get(keyName{secret: "0"})
	for i := range 10 {
		cache.get(keyName{secret: strconv.Itoa(i)})
		cache.get(keyName{secret: "0"})
	}
	if n := cache.len(); n != 3 {
		t.Errorf("the cache holds %d keys, want 3", n)
	}
	if cache.get(keyName{secret: "0"}) != first {
		t.Error("the most used key was dropped")
	}
	if len(cache.byKey) != 3 {
		t.Errorf("the index holds %d keys", len(cache.byKey))
	}
}
