package sigv4

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

const terminator = "aws4_request"

// canonical is a scratch pad on which the canonical request is written. It is
// reused between requests, so that verifying one allocates almost nothing.
type canonical struct {
	buf    []byte
	params []param
	names  []byte // bytes of escaped query parameters
	key    []byte // one header name in net/http's form
}

// param is one query parameter, escaped: offsets into canonical.names.
type param struct{ from, equals, to int }

// spelling says which of the equally right texts of a request to write.
type spelling struct {
	path      pathForm
	skipToken bool // leave X-Amz-Security-Token out of the query
}

// pathForm is a way to write the canonical URI.
type pathForm int

const (
	pathTwice      pathForm = iota // what is on the wire, escaped once more
	pathNormalised                 // the same without dot segments and doubled slashes
	pathPlain                      // what is on the wire
	pathUniform                    // the same with its escapes made uniform
)

// write spells the request as it must have been signed:
//
//	METHOD \n PATH \n QUERY \n HEADERS… \n SIGNED-HEADERS \n PAYLOAD
func (c *canonical) write(r *Request, s *Signature, payload string, how spelling) []byte {
	b := append(c.buf[:0], r.Method...)
	b = append(b, '\n')
	b = appendPath(b, r.Path, how.path)
	b = append(b, '\n')
	b = c.appendQuery(b, r.Query, s.Presigned, how.skipToken)
	b = append(b, '\n')
	b = c.appendHeaders(b, r, s.SignedHeaders)
	b = append(b, '\n')
	b = append(b, s.SignedHeaders...)
	b = append(b, '\n')
	if payload != "" {
		b = append(b, payload...)
	} else {
		b = hex.AppendEncode(b, r.BodySHA256[:])
	}
	c.buf = b
	return b
}

// appendPath writes the canonical URI. Services other than S3 escape the path
// as it stands on the wire once more, so that "%" becomes "%25".
func appendPath(b []byte, path string, form pathForm) []byte {
	switch {
	case path == "":
		return append(b, '/')
	case form == pathPlain:
		return append(b, path...)
	case form == pathNormalised:
		path = normalisePath(path)
	}
	for i := 0; i < len(path); i++ {
		ch := path[i]
		if ch == '/' {
			b = append(b, ch)
			continue
		}
		if form == pathUniform && ch == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			ch = unhex(path[i+1])<<4 | unhex(path[i+2])
			i += 2
		}
		b = appendByte(b, ch)
	}
	return b
}

// hasDots reports whether normalising would change the path.
func hasDots(path string) bool {
	return strings.Contains(path, "//") || strings.Contains(path, "/.")
}

// normalisePath removes dot segments (RFC 3986, 5.2.4) and doubled slashes; a
// trailing slash stays.
func normalisePath(path string) string {
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
		}
	}
	out := "/" + strings.Join(kept, "/")
	if len(out) > 1 && strings.HasSuffix(path, "/") {
		out += "/"
	}
	return out
}

// appendQuery writes the parameters, each name and value unescaped and escaped
// again, then sorted, by name and then value. X-Amz-Signature is not part of
// what it signs.
func (c *canonical) appendQuery(b []byte, query string, presigned, skipToken bool) []byte {
	if query == "" {
		return b
	}
	c.params, c.names = c.params[:0], c.names[:0]
	for rest := query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		p := param{from: len(c.names)}
		c.names = appendReescaped(c.names, key)
		p.equals = len(c.names)
		if name := c.names[p.from:]; presigned && (string(name) == "X-Amz-Signature" || skipToken && string(name) == "X-Amz-Security-Token") {
			c.names = c.names[:p.from]
			continue
		}
		c.names = append(c.names, '=')
		c.names = appendReescaped(c.names, value)
		p.to = len(c.names)
		c.params = append(c.params, p)
	}
	slices.SortFunc(c.params, func(x, y param) int {
		if n := slices.Compare(c.names[x.from:x.equals], c.names[y.from:y.equals]); n != 0 {
			return n
		}
		return slices.Compare(c.names[x.equals:x.to], c.names[y.equals:y.to])
	})
	for i, p := range c.params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, c.names[p.from:p.to]...)
	}
	return b
}

// appendReescaped writes a query component in the one canonical escaping. A
// "+" is a space, as in forms; a "%" that starts no escape is itself.
func appendReescaped(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '+':
			ch = ' '
		case ch == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			ch = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		b = appendByte(b, ch)
	}
	return b
}

// appendHeaders writes a line "name:value" for each signed header, in the
// order of the list; several values are joined by commas.
func (c *canonical) appendHeaders(b []byte, r *Request, signed string) []byte {
	for signed != "" {
		var name string
		name, signed, _ = strings.Cut(signed, ";")
		b = append(b, name...)
		b = append(b, ':')
		if name == "host" {
			b = appendFolded(b, r.Host)
			b = append(b, '\n')
			continue
		}
		values, ok := r.Header[c.mimeKey(name)]
		if !ok && name == "content-length" && r.ContentLength >= 0 {
			b = strconv.AppendInt(b, r.ContentLength, 10)
		}
		for i, value := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendFolded(b, value)
		}
		b = append(b, '\n')
	}
	return b
}

// mimeKey spells a lower-case header name as net/http keys its maps. The usual
// names are constants; others cost an allocation.
func (c *canonical) mimeKey(name string) string {
	switch name {
	case "content-type":
		return "Content-Type"
	case "content-length":
		return "Content-Length"
	case "x-amz-date":
		return "X-Amz-Date"
	case "x-amz-target":
		return "X-Amz-Target"
	case "x-amz-security-token":
		return "X-Amz-Security-Token"
	case "x-amz-content-sha256":
		return "X-Amz-Content-Sha256"
	case "amz-sdk-invocation-id":
		return "Amz-Sdk-Invocation-Id"
	case "amz-sdk-request":
		return "Amz-Sdk-Request"
	case "x-k8s-aws-id":
		return "X-K8s-Aws-Id"
	}
	c.key = c.key[:0]
	upper := true
	for i := 0; i < len(name); i++ {
		ch := name[i]
		if upper && 'a' <= ch && ch <= 'z' {
			ch -= 'a' - 'A'
		} else if !upper && 'A' <= ch && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		upper = ch == '-'
		c.key = append(c.key, ch)
	}
	return string(c.key)
}

// appendFolded writes a header value without outer white space and with inner
// runs of spaces as one (not tabs: neither the text of the rule nor the SDKs
// fold them).
func appendFolded(b []byte, value string) []byte {
	value = strings.TrimSpace(value)
	for i := 0; i < len(value); i++ {
		if value[i] == ' ' && value[i-1] == ' ' {
			continue
		}
		b = append(b, value[i])
	}
	return b
}

// unreserved are the bytes never escaped (RFC 3986, 2.3).
var unreserved = func() (set [256]bool) {
	for _, ch := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" {
		set[ch] = true
	}
	return set
}()

// appendByte writes a byte, escaped unless it is unreserved.
func appendByte(b []byte, ch byte) []byte {
	const digits = "0123456789ABCDEF"
	if unreserved[ch] {
		return append(b, ch)
	}
	return append(b, '%', digits[ch>>4], digits[ch&15])
}

func isHex(ch byte) bool {
	return '0' <= ch && ch <= '9' || 'a' <= ch && ch <= 'f' || 'A' <= ch && ch <= 'F'
}

func unhex(ch byte) byte {
	switch {
	case ch <= '9':
		return ch - '0'
	case ch >= 'a':
		return ch - 'a' + 10
	}
	return ch - 'A' + 10
}
