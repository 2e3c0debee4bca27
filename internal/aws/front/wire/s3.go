package wire

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// S3 speaks REST-XML with rules of its own: a bucket may be named by the host
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html),
// operations of one method and path differ by what parameters and headers are
// there, bodies are streams, and some names in answers are not the model's.

const s3ID = "s3"

// replaced are S3's operations that newer ones have taken the place and the path of.
var replaced = []string{"GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification"}

// s3Namespace is of all answers of S3; its model lacks it.
const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// s3Roots are the elements that S3 wraps its answers in, where the model's name
// is another.
var s3Roots = map[string]string{
	"ListBuckets": "ListAllMyBucketsResult", "ListObjects": "ListBucketResult", "ListObjectsV2": "ListBucketResult",
	"DeleteObjects": "DeleteResult", "CreateMultipartUpload": "InitiateMultipartUploadResult",
	"CompleteMultipartUpload": "CompleteMultipartUploadResult", "ListParts": "ListPartsResult",
	"ListMultipartUploads": "ListMultipartUploadsResult", "GetBucketTagging": "Tagging", "GetObjectTagging": "Tagging",
	"ListObjectVersions": "ListVersionsResult", "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
	"GetBucketVersioning": "VersioningConfiguration", "GetBucketAcl": "AccessControlPolicy", "GetObjectAcl": "AccessControlPolicy",
}

// bucketOfHost finds the bucket that a Host header names: that of
// BUCKET.s3.REGION.amazonaws.com, BUCKET.s3.amazonaws.com and their dual stack
// and older forms, and of BUCKET.localhost, which is where clients that were given
// an endpoint by that name look for it. named says whether the host is one of S3's
// at all.
func bucketOfHost(host string) (bucket string, named bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok {
		return bucket, true
	}
	rest, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		return "", false
	}
	labels := strings.Split(rest, ".")
	for i := len(labels) - 1; i >= 0 && i >= len(labels)-3; i-- {
		if l := labels[i]; l == s3ID || i == len(labels)-1 && strings.HasPrefix(l, "s3-") {
			return strings.Join(labels[:i], "."), true
		}
	}
	return "", false
}

// routeS3 finds the operation of a request to S3.
func (c *Call) routeS3(s *Service) (*Call, error) {
	path := c.r.URL.EscapedPath()
	if bucket, _ := bucketOfHost(c.r.Host); bucket != "" {
		path = "/" + bucket + path
	}
	return c.routeREST(s, path)
}

// isAnonymousS3 tells whether a request without a signature that no other service
// knows is one to S3: by its host, or by a path where the host says nothing.
func isAnonymousS3(r *http.Request) bool {
	if _, named := bucketOfHost(r.Host); named {
		return true
	}
	if strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
		return false // signed, for a service that does not know the request
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return !strings.HasSuffix(host, ".amazonaws.com") && r.URL.Path != "/" && r.URL.Path != ""
}

// need is a query parameter or header that an operation can't be without.
type need struct{ location, name string }

// needs are those of an operation of S3: they tell UploadPart from PutObject.
func needs(op *Operation) []need {
	if op.service.id != s3ID || op.input == nil {
		return nil
	}
	sh, err := op.service.table.shape(op.input.shape)
	if err != nil {
		return nil
	}
	var list []need
	for i := range sh.members {
		if m := &sh.members[i]; m.required && (m.location == "querystring" || m.location == "header") {
			list = append(list, need{m.location, orElse(m.wire, m.name)})
		}
	}
	return list
}

// fits says whether a request has what the route's operation needs.
func (rt *route) fits(c *Call) bool {
	for _, n := range rt.needs {
		if n.location == "header" && len(c.r.Header.Values(n.name)) == 0 ||
			n.location == "querystring" && !slices.ContainsFunc(c.query, func(p pair) bool { return p.key == n.name }) {
			return false
		}
	}
	return true
}

// unknownSubresource finds a parameter without a value that the route's operation
// doesn't know: "?acl" names another operation than the one without, so that it
// can't be passed over.
func (rt *route) unknownSubresource(query []pair) string {
	var sh *shape
	if rt.op.input != nil {
		sh, _ = rt.op.service.table.shape(rt.op.input.shape)
	}
	for _, p := range query {
		if p.value != "" || slices.ContainsFunc(rt.query, func(l pair) bool { return l.key == p.key }) {
			continue
		}
		if sh != nil && slices.ContainsFunc(sh.members, func(m member) bool {
			return m.location == "querystring" && orElse(m.wire, m.name) == p.key
		}) {
			continue
		}
		return p.key
	}
	return ""
}

// statusOf bounds the status of an error: below 400 there is only S3's Not
// Modified.
func statusOf(status int) int {
	switch {
	case status == http.StatusNotModified, status >= 400 && status <= 599:
		return status
	}
	return http.StatusBadRequest
}

// Streams says whether the operation takes its body as a stream, so that it is
// not to be read before.
func (c *Call) Streams() bool {
	if c.Operation == nil || c.Operation.input == nil {
		return false
	}
	sh, err := c.Operation.service.table.shape(c.Operation.input.shape)
	if err != nil || sh.payload == "" {
		return false
	}
	i := slices.IndexFunc(sh.members, func(m member) bool { return m.name == sh.payload })
	return i >= 0 && sh.members[i].streaming
}

// SetBody gives the call the body that was not read before Route.
func (c *Call) SetBody(body []byte) { c.body = body }

// SetStream gives the call the stream that its operation reads. The server's own
// request keeps its body, by which the server knows what the client still waits to
// send.
func (c *Call) SetStream(body io.ReadCloser) {
	r := *c.r
	r.Body = body
	c.r = &r
}

// streamed is the output's body, if it is a stream.
func (n *node) streamed(v reflect.Value) (io.ReadCloser, bool) {
	if n.payload < 0 || n.fields[n.payload].kind != blobKind || n.fields[n.payload].bytes {
		return nil, false
	}
	body, ok := v.Field(n.fields[n.payload].index).Interface().(io.ReadCloser)
	return body, ok && body != nil
}

// ErrCut is an answer that broke off after its head was sent.
var ErrCut = errors.New("wire: the answer's body broke off")

// stream writes an answer whose body is a stream, without holding it.
func (c *Call) stream(w http.ResponseWriter, n *node, v reflect.Value, body io.ReadCloser, requestID string) error {
	defer body.Close()
	v.Field(n.fields[n.payload].index).SetZero()
	head := http.Header{}
	status, _, _, err := c.encodeREST(n, v, head, nil)
	if err != nil {
		return err
	}
	h := w.Header()
	for k, vs := range head {
		h[k] = vs
	}
	h["x-amz-request-id"] = []string{requestID}
	w.WriteHeader(status)
	reader := &failing{Reader: body}
	if _, err := io.Copy(w, reader); err != nil && reader.err != nil {
		return errors.Join(ErrCut, reader.err)
	}
	return nil // a client that left is nobody to tell
}

// failing remembers that reading failed, as opposed to writing.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// s3Answer writes an output of S3 that its model doesn't describe as S3 sends it.
func (c *Call) s3Answer(w *xmlWriter, n *node, v reflect.Value) (done bool, err error) {
	if c.Operation.Name != "GetBucketLocation" {
		return false, nil
	}
	// One element, not one in another.
	for i := range n.fields {
		name, value := n.fields[i].out, v.Field(n.fields[i].index).String()
		w.open(name, s3Namespace)
		w.b = append(appendXMLText(w.b, value), "</"+name+">"...)
		w.depth--
	}
	return true, nil
}

func unescapePath(s string) (string, error) {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "", errorf(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	return out, nil
}
