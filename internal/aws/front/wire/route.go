package wire

import (
	"net/http"
	"slices"
	"strings"
)

// Route finds the service and operation a request asks for: the service by the
// name in its credential scope (signingService, "" if unsigned), else by
// X-Amz-Target, else by the API version of its form, else by its path; the
// operation by X-Amz-Target, by Action, or by method and path.
//
// The body is the whole body, read; nil where the operation streams it. The
// call returned is never nil: with an error it serves to Fail.
func (c *Codec) Route(r *http.Request, body []byte, signingService string) (*Call, error) {
	call := &Call{r: r, body: body}
	candidates := c.signing[signingService]
	if compressed(r) && restService(candidates) == nil { // of REST services it may be an object's
		var err error
		if call.body, err = inflate(body); err != nil {
			call.guess(candidates)
			return call, err
		}
	}
	target := r.Header.Get("X-Amz-Target")
	prefix, name, targeted := cutLast(target, ".")

	switch {
	case targeted && target != "":
		if s := c.targets[prefix]; s != nil && (signingService == "" || s.signing == signingService) {
			return call.named(s, jsonRPC, name, "")
		}
		call.proto = jsonRPC
		if len(candidates) > 0 {
			call.Service = candidates[0]
		}
		return call, call.unknownOperation(target, "")
	case strings.HasPrefix(r.URL.Path, "/service/") && r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		return c.routeCBOR(call, candidates)
	}

	if s := restService(candidates); s != nil {
		return call.routeService(s)
	}
	if s := c.services[s3ID]; s != nil && signingService == "" {
		if _, named := bucketOfHost(r.Host); named {
			return call.routeS3(s)
		}
	}
	if err := call.readForm(); err != nil {
		call.guess(candidates)
		return call, err
	}
	action, version := lookup(call.form, "Action"), lookup(call.form, "Version")
	s := c.versions[version]
	if len(candidates) > 0 && !slices.Contains(candidates, s) {
		s = candidates[0]
		if len(candidates) == 1 && version == "" {
			version = s.version // AWS's newest is the default
		}
		call.guess(candidates)
		if version != s.version || s.protocols[0] == jsonRPC {
			return call, call.unknownOperation(action, version)
		}
	}
	switch {
	case s != nil && action != "":
		return call.named(s, formProtocol(s), action, version)
	case s != nil:
		call.guess([]*Service{s})
		return call, call.unknownOperation("", version)
	case action != "":
		call.proto = queryProtocol
		return call, call.unknownOperation(action, version)
	case signingService != "" && len(candidates) == 0:
		call.proto = restJSON
		return call, errorf(http.StatusNotFound, "UnknownOperationException", "The service %s is not offered here", clip(signingService))
	}
	// Unsigned and unnamed: only a path can tell. Services with REST paths
	// are asked in the order of their IDs.
	for _, id := range c.Services() {
		if s := c.services[id]; s.protocols[0] == restJSON {
			if found, err := call.routeREST(s, r.URL.EscapedPath()); err == nil {
				return found, nil
			}
		}
	}
	if s := c.services[s3ID]; s != nil && signingService == "" && isAnonymousS3(r) {
		return call.routeS3(s)
	}
	call.Service, call.Operation, call.proto = nil, nil, queryProtocol
	return call, call.unknownOperation("", "")
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func restService(candidates []*Service) *Service {
	for _, s := range candidates {
		if s.protocols[0].rest() {
			return s
		}
	}
	return nil
}

func formProtocol(s *Service) protocol {
	for _, p := range s.protocols {
		if p == queryProtocol || p == ec2Protocol {
			return p
		}
	}
	return s.protocols[0]
}

// guess settles the protocol of an error answer.
func (c *Call) guess(candidates []*Service) {
	c.proto = queryProtocol
	if len(candidates) > 0 {
		c.Service = candidates[0]
		c.proto = formProtocol(c.Service)
	}
}

// named completes a call whose operation is named by the request.
func (c *Call) named(s *Service, p protocol, name, version string) (*Call, error) {
	c.Service, c.proto = s, p
	if c.Operation = s.Operation(name); c.Operation == nil {
		return c, c.unknownOperation(name, version)
	}
	return c, nil
}

// routeCBOR reads /service/NAME/operation/NAME
// (https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html).
func (c *Codec) routeCBOR(call *Call, candidates []*Service) (*Call, error) {
	call.proto = cborRPC
	parts := strings.Split(call.r.URL.Path, "/")
	if len(parts) != 5 || parts[3] != "operation" {
		return call, call.unknownOperation(call.r.URL.Path, "")
	}
	s := c.targets[parts[2]]
	if s == nil && len(candidates) > 0 {
		s = candidates[0]
	}
	if s == nil || !slices.Contains(s.protocols, cborRPC) {
		return call, call.unknownOperation(parts[4], "")
	}
	return call.named(s, cborRPC, parts[4], "")
}

// readForm joins the parameters of the query string and of a form body.
func (c *Call) readForm() error {
	var err error
	if c.r.URL.RawQuery != "" {
		if c.form, err = parsePairs(c.r.URL.RawQuery, nil); err != nil {
			return err
		}
	}
	if len(c.body) == 0 {
		return nil
	}
	c.form, err = parsePairs(string(c.body), c.form)
	return err
}

// route53ID is the service whose model ends a path with a slash that clients send or
// leave out.
const route53ID = "route53"

// route is one operation's REST binding.
type route struct {
	op       *Operation
	segments []string // "{name}" and "{name+}" are labels
	query    []pair   // literals that must be there
	literals int      // the more, the more specific
	needs    []need   // of S3
}

func (s *Service) restRoutes() []route {
	s.routesOnce.Do(func() {
		for _, name := range s.Operations() {
			if s.id == s3ID && slices.Contains(replaced, name) {
				continue
			}
			op := s.Operation(name)
			path, query, _ := strings.Cut(op.uri, "?")
			if s.id == route53ID {
				path = strings.TrimSuffix(path, "/")
			}
			rt := route{op: op, segments: strings.Split(strings.TrimPrefix(path, "/"), "/")}
			rt.query, _ = parsePairs(query, nil)
			rt.needs = needs(op)
			for _, seg := range rt.segments {
				if !strings.HasPrefix(seg, "{") && seg != "" {
					rt.literals++
				}
			}
			s.routes = append(s.routes, rt)
		}
		slices.SortStableFunc(s.routes, func(a, b route) int {
			if d := len(b.query) + len(b.needs) - len(a.query) - len(a.needs); d != 0 {
				return d
			}
			return b.literals - a.literals
		})
	})
	return s.routes
}

func (c *Call) routeService(s *Service) (*Call, error) {
	if s.id == s3ID {
		return c.routeS3(s)
	}
	return c.routeREST(s, c.r.URL.EscapedPath())
}

// routeREST matches method and escaped path: an ARN in a path comes with its
// slashes escaped and stays one segment.
func (c *Call) routeREST(s *Service, escaped string) (*Call, error) {
	c.Service, c.proto, c.path = s, s.protocols[0], escaped
	query, err := parsePairs(c.r.URL.RawQuery, nil)
	if err != nil {
		return c, errMalformedQuery
	}
	c.query = query
	path := strings.TrimPrefix(escaped, "/")
	if s.id == route53ID {
		path = strings.TrimSuffix(path, "/")
	}
	routes := s.restRoutes()
	for i := range routes {
		rt := &routes[i]
		if rt.op.method != c.r.Method || !matchPath(rt.segments, path) || !matchQuery(rt.query, query) || !rt.fits(c) {
			continue
		}
		if s.id == s3ID {
			if name := rt.unknownSubresource(query); name != "" {
				return c, errorf(http.StatusNotImplemented, "NotImplemented", "The sub-resource %s is not implemented for this method and resource", clip(name))
			}
		}
		c.Operation, c.route = rt.op, rt
		return c, nil
	}
	return c, c.unknownOperation(c.r.URL.Path, "")
}

func matchPath(segments []string, path string) bool {
	for i, seg := range segments {
		if strings.HasSuffix(seg, "+}") {
			// A greedy label takes the rest but what literals follow it.
			rest := segments[i+1:]
			for range rest {
				j := strings.LastIndexByte(path, '/')
				if j < 0 {
					return false
				}
				if path[j+1:] != rest[len(rest)-1] {
					return false
				}
				path, rest = path[:j], rest[:len(rest)-1]
			}
			return path != ""
		}
		head, tail, more := strings.Cut(path, "/")
		if strings.HasPrefix(seg, "{") {
			if head == "" {
				return false
			}
		} else if head != seg {
			return false
		}
		if last := i == len(segments)-1; last == more {
			// A trailing slash alone is forgiven where a label ends the path.
			return last && tail == "" && strings.HasPrefix(seg, "{")
		}
		path = tail
	}
	return true
}

func matchQuery(want, have []pair) bool {
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h pair) bool { return h.key == w.key && (w.value == "" || h.value == w.value) }) {
			return false
		}
	}
	return true
}

// labels calls found with each label's name and unescaped value.
func (rt *route) labels(path string, found func(name, value string) error) error {
	path = strings.TrimPrefix(path, "/")
	for i, seg := range rt.segments {
		head, tail, _ := strings.Cut(path, "/")
		name, isLabel := strings.CutPrefix(seg, "{")
		if isLabel {
			name = strings.TrimSuffix(name, "}")
			if greedy, ok := strings.CutSuffix(name, "+"); ok {
				name, head = greedy, path
				for range rt.segments[i+1:] {
					head = head[:strings.LastIndexByte(head, '/')]
				}
				tail = ""
			}
			value, err := unescapePath(head)
			if err != nil {
				return err
			}
			if err := found(name, value); err != nil {
				return err
			}
		}
		path = tail
	}
	return nil
}
