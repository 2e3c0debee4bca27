package front

import (
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/sigv4"
)

// S3's bodies are read after the call is known and its sender authenticated, for
// they may be larger than memory, and what they hold is checked as they are read.

// lateCall is a Call that can take its body after it was routed.
type lateCall interface {
	Call
	// Streams says that the operation reads its body as a stream.
	Streams() bool
	// SetBody hands over the body of an operation that doesn't.
	SetBody([]byte)
	// SetStream hands over the body of one that does.
	SetStream(io.ReadCloser)
}

// routeHead routes a request by its head alone, if it is one to S3.
func (p *passage) routeHead(signed string) (Call, error, bool) {
	if signed != "s3" && (signed != "" || p.r.Header.Get("X-Amz-Target") != "") {
		return nil, nil, false
	}
	called, err := p.f.Codec.Route(p.r, nil, signed)
	if _, ok := called.(lateCall); !ok || called.Service() != "s3" {
		return nil, nil, false
	}
	return called, err, true
}

// checkDeclared refuses what S3 doesn't take as the hash of a body that is to come.
func checkDeclared(sig *sigv4.Signature) error {
	switch sig.Payload {
	case sigv4.UnsignedPayload, sigv4.StreamingSigned, sigv4.StreamingSignedTrailer, sigv4.StreamingUnsignedTrailer:
		return nil
	case "":
		if sig.Presigned {
			return nil
		}
		return api.Errorf(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	if _, err := parseSHA256(sig.Payload); err != nil {
		return err
	}
	return nil
}

// takeBody gives a late call its body: a stream whose end is its proof, or the
// whole of it, proven.
func (p *passage) takeBody(later bool, secret string) error {
	if !later {
		return nil
	}
	body, err := p.newPayload(secret)
	if err != nil {
		return err
	}
	call := p.wire.(lateCall)
	p.w = &patientWriter{ResponseWriter: p.w, door: http.NewResponseController(p.w)}
	if call.Streams() {
		if body.size < 0 {
			return api.Errorf(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		}
		call.SetStream(body)
		return nil
	}
	limit := p.f.MaxBody
	if p.sig == nil {
		limit = unsignedBody
	}
	whole, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	switch {
	case err != nil:
		return err
	case len(whole) > limit:
		return tooLarge(p.family(), limit)
	}
	call.SetBody(whole)
	return nil
}

// newPayload reads from a request's head how its body is to be checked.
func (p *passage) newPayload(secret string) (*payload, error) {
	h := p.r.Header
	b := &payload{src: &patientReader{body: p.r.Body, door: http.NewResponseController(p.w)}, size: p.r.ContentLength}
	declared := h.Get("X-Amz-Content-Sha256")
	if p.sig != nil {
		declared = p.sig.Payload
	}
	if err := b.checks(h); err != nil {
		return nil, err
	}
	switch {
	case declared == "" || declared == sigv4.UnsignedPayload:
	case strings.HasPrefix(declared, "STREAMING-"):
		chunks, err := newChunks(b.src, h)
		if err != nil {
			return nil, err
		}
		if p.sig != nil && p.sig.SignedChunks() {
			chunks.chain = p.f.verifier.Chain(p.sig, secret)
		} else if declared != sigv4.StreamingUnsignedTrailer {
			return nil, errDeclared
		}
		chunks.trailing = strings.HasSuffix(declared, "-TRAILER")
		b.src, b.size, b.chunks = chunks, chunks.size, chunks
		dropEncoding(h)
	default:
		want, err := parseSHA256(declared)
		if err != nil {
			return nil, err
		}
		b.sha256, b.wantSHA = sha256.New(), want
	}
	return b, nil
}

// dropEncoding removes aws-chunked from Content-Encoding: it is of the request,
// not of the object.
func dropEncoding(h http.Header) {
	var kept []string
	for _, v := range strings.Split(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if v = strings.TrimSpace(v); v != "" && !strings.EqualFold(v, "aws-chunked") {
			kept = append(kept, v)
		}
	}
	h.Del("Content-Encoding")
	if len(kept) > 0 {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
}

// lull is how long a stream may stand still. The server's own timeouts are for
// whole calls, and would cut off a large object.
const lull = time.Minute

// patience moves a deadline along while a stream moves.
type patience struct{ next time.Time }

func (d *patience) extend(set func(time.Time) error) {
	if now := time.Now(); now.After(d.next) {
		d.next = now.Add(lull / 12)
		_ = set(now.Add(lull)) // a server without deadlines needs none
	}
}

type patientReader struct {
	body io.Reader
	door *http.ResponseController
	patience
}

func (r *patientReader) Read(b []byte) (int, error) {
	r.extend(r.door.SetReadDeadline)
	n, err := r.body.Read(b)
	if err != nil && err != io.EOF {
		err = errors.Join(errIncomplete, err)
	}
	return n, err
}

type patientWriter struct {
	http.ResponseWriter
	door *http.ResponseController
	patience
}

func (w *patientWriter) Write(b []byte) (int, error) {
	w.extend(w.door.SetWriteDeadline)
	return w.ResponseWriter.Write(b)
}

func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// wrongRegion is S3's answer to a signature for another region; its clients read
// the right one from it.
func wrongRegion(signed, here string) *api.Error {
	e := api.Errorf(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region '%s' is wrong; expecting '%s'", signed, here)
	e.Members = []api.Member{{Name: "Region", Value: here}}
	return e
}

// errVersion2 is S3's answer to a signature of version 2, which no bucket made since
// June 2020 takes
// (https://aws.amazon.com/blogs/aws/amazon-s3-update-sigv2-deprecation-period-extended-modified/).
var errVersion2 = api.Errorf(http.StatusBadRequest, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")

// isVersion2 says whether a request carries such a signature.
func isVersion2(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS ") || strings.Contains(r.URL.RawQuery, "AWSAccessKeyId=")
}
