package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/eksact/eksact/internal/aws/api"
)

// principal is how the trail says that the registry makes a call for somebody.
const principal = "ecr.amazonaws.com"

const linkPath = "/layer/" // of download URLs

// Registry answers, at the registry's own name, Docker's and other clients in the OCI
// distribution protocol; all else goes to next.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md
func (s *Service) Registry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		if !strings.EqualFold(host, s.Host()) {
			next.ServeHTTP(w, r)
			return
		}
		if token, ok := strings.CutPrefix(r.URL.Path, linkPath); ok {
			s.serveLink(w, r, token)
			return
		}
		who, err := s.authenticate(r)
		if err != nil {
			challenge(w, s.Host())
			return
		}
		s.serve(w, r, who)
	})
}

// Mirror answers a node's containerd for repositories that are here, as whoever the node
// is (its instance's role), or as whose credentials the pod brings; all else goes to next.
// A mirror is told the registry that it stands for by the parameter ns.
func (s *Service) Mirror(node func(ctx context.Context) (api.Caller, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := paths.FindStringSubmatch(r.URL.Path)
		if m == nil || !strings.EqualFold(r.URL.Query().Get("ns"), s.Host()) {
			next.ServeHTTP(w, r)
			return
		}
		if _, ok := s.repositories.Get(m[1]); !ok {
			next.ServeHTTP(w, r) // loaded by hand, perhaps
			return
		}
		who, err := s.authenticate(r)
		if err != nil {
			if who, err = node(r.Context()); err != nil {
				s.Log.Info("ecr: a node has no role to pull as", "error", err)
				challenge(w, s.Host())
				return
			}
			// What its role may not do, a pod's own credentials might: containerd sends
			// them when it is asked for.
			w = &challenger{ResponseWriter: w, host: s.Host()}
		}
		s.serve(w, r, who)
	})
}

// challenger asks for credentials where those at hand don't suffice.
type challenger struct {
	http.ResponseWriter
	host string
}

func (c *challenger) WriteHeader(status int) {
	if status == http.StatusForbidden {
		c.Header().Set("Www-Authenticate", realm(c.host))
		status = http.StatusUnauthorized
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *challenger) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func realm(host string) string {
	return `Basic realm="https://` + host + `/",service="` + principal + `"`
}

func challenge(w http.ResponseWriter, host string) {
	w.Header().Set("Www-Authenticate", realm(host))
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "Not Authorized")
}

var (
	errAnonymous = errors.New("no credentials")

	paths = regexp.MustCompile(`^/v2/((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)/(manifests|blobs|tags)/(.*)$`)
)

// authenticate finds out whose token a request has.
func (s *Service) authenticate(r *http.Request) (api.Caller, error) {
	user, token, ok := r.BasicAuth()
	if !ok || user != userName {
		return api.Caller{}, errAnonymous
	}
	p, err := s.unseal(r.Context(), token)
	if err != nil || p.Who == nil {
		return api.Caller{}, errBadToken
	}
	who := *p.Who
	who.SourceIP = netip.Addr{}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		who.SourceIP = peer.Addr().Unmap().WithZone("")
	}
	who.UserAgent, who.TLS = r.UserAgent(), r.TLS != nil
	return who, nil
}

// refuse answers with an error in the protocol's form.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}})
}

// exchange is one request of a client.
type exchange struct {
	s          *Service
	w          http.ResponseWriter
	r          *http.Request
	who        api.Caller
	repository string
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, who api.Caller) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if path := strings.TrimSuffix(r.URL.Path, "/"); path == "/v2" {
		w.WriteHeader(http.StatusOK)
		return
	}
	m := paths.FindStringSubmatch(r.URL.Path)
	if m == nil {
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "this is no part of the registry's protocol that is here")
		return
	}
	who.Service = principal
	x := &exchange{s: s, w: w, r: r, who: who, repository: m[1]}
	upload, isUpload := strings.CutPrefix(m[3], "uploads/")
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case m[2] == "blobs" && (isUpload || m[3] == "uploads"):
		x.upload(strings.TrimSuffix(upload, "/"))
	case m[2] == "blobs" && read:
		x.blob(m[3])
	case m[2] == "manifests" && read:
		x.manifest(m[3])
	case m[2] == "manifests" && r.Method == http.MethodPut:
		x.putManifest(m[3])
	case m[2] == "tags" && m[3] == "list" && read:
		x.tags()
	default:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
	}
}

// call makes a call of ECR with the caller's rights.
func call[O any](x *exchange, operation string, in any) (*O, error) {
	out, err := x.s.door.Do(x.r.Context(), x.who, "ecr", operation, in)
	if err != nil {
		return nil, err
	}
	return out.(*O), nil
}

// fail answers with an error of ECR's in the registry's terms.
func (x *exchange) fail(err error) {
	var e interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if !errors.As(err, &e) {
		x.s.Log.Error("ecr: the registry failed", "repository", x.repository, "error", err)
		refuse(x.w, http.StatusInternalServerError, "UNKNOWN", "Unknown error")
		return
	}
	status, code := http.StatusBadRequest, "UNSUPPORTED"
	switch c := e.ErrorCode(); {
	case strings.Contains(c, "AccessDenied"):
		status, code = http.StatusForbidden, "DENIED"
	case c == "RepositoryNotFoundException":
		status, code = http.StatusNotFound, "NAME_UNKNOWN"
	case c == "LayersNotFoundException":
		status, code = http.StatusNotFound, "BLOB_UNKNOWN"
	case c == "ReferencedImagesNotFoundException", c == "ImageNotFoundException":
		status, code = http.StatusNotFound, "MANIFEST_UNKNOWN"
	case c == "UploadNotFoundException":
		status, code = http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN"
	case c == "ImageTagAlreadyExistsException":
		code = "TAG_INVALID"
	case c == "InvalidLayerException", c == "ImageDigestDoesNotMatchException":
		code = "DIGEST_INVALID"
	case c == "InvalidLayerPartException", c == "EmptyUploadException":
		status, code = http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID"
	case c == "InvalidParameterException":
		code = "MANIFEST_INVALID"
	}
	refuse(x.w, status, code, e.ErrorMessage())
}

// manifest serves one by its tag or digest.
func (x *exchange) manifest(reference string) {
	id := types.ImageIdentifier{ImageTag: &reference}
	if strings.Contains(reference, ":") {
		id = types.ImageIdentifier{ImageDigest: &reference}
	}
	out, err := call[ecr.BatchGetImageOutput](x, "BatchGetImage", &ecr.BatchGetImageInput{RepositoryName: &x.repository, ImageIds: []types.ImageIdentifier{id}})
	if err != nil {
		x.fail(err)
		return
	}
	if len(out.Images) == 0 {
		refuse(x.w, http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found")
		return
	}
	i := out.Images[0]
	h := x.w.Header()
	h.Set("Content-Type", aws.ToString(i.ImageManifestMediaType))
	h.Set("Docker-Content-Digest", aws.ToString(i.ImageId.ImageDigest))
	h.Set("Content-Length", strconv.Itoa(len(aws.ToString(i.ImageManifest))))
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodGet {
		_, _ = io.WriteString(x.w, aws.ToString(i.ImageManifest))
	}
}

const mostOfManifest = 4 << 20

// putManifest makes an image. What is there already is as the client wants it.
func (x *exchange) putManifest(reference string) {
	text, err := io.ReadAll(io.LimitReader(x.r.Body, mostOfManifest+1))
	if err != nil || len(text) > mostOfManifest {
		refuse(x.w, http.StatusBadRequest, "MANIFEST_INVALID", "the manifest did not arrive, or is longer than 4 MiB")
		return
	}
	in := &ecr.PutImageInput{RepositoryName: &x.repository, ImageManifest: aws.String(string(text)), ImageTag: &reference}
	if mediaType := x.r.Header.Get("Content-Type"); mediaType != "" {
		in.ImageManifestMediaType = &mediaType
	}
	if strings.Contains(reference, ":") {
		in.ImageTag, in.ImageDigest = nil, &reference
	}
	_, err = call[ecr.PutImageOutput](x, "PutImage", in)
	var there *types.ImageAlreadyExistsException
	if err != nil && !errors.As(err, &there) {
		x.fail(err)
		return
	}
	made, _ := read(x.repository, string(text), "")
	x.w.Header().Set("Docker-Content-Digest", made.Digest)
	x.w.Header().Set("Location", "/v2/"+x.repository+"/manifests/"+made.Digest)
	x.w.WriteHeader(http.StatusCreated)
}

// tags lists them.
func (x *exchange) tags() {
	names := []string{}
	in := &ecr.ListImagesInput{RepositoryName: &x.repository, Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged}, MaxResults: aws.Int32(1000)}
	for {
		out, err := call[ecr.ListImagesOutput](x, "ListImages", in)
		if err != nil {
			x.fail(err)
			return
		}
		for _, id := range out.ImageIds {
			names = append(names, aws.ToString(id.ImageTag))
		}
		if out.NextToken == nil {
			break
		}
		next := *in
		next.NextToken = out.NextToken
		in = &next
	}
	x.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(x.w).Encode(map[string]any{"name": x.repository, "tags": names})
}

// blob serves a layer, or says whether it is there.
func (x *exchange) blob(digest string) {
	if x.r.Method == http.MethodHead {
		out, err := call[ecr.BatchCheckLayerAvailabilityOutput](x, "BatchCheckLayerAvailability", &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &x.repository, LayerDigests: []string{digest}})
		if err != nil {
			x.fail(err)
			return
		}
		if len(out.Layers) == 0 || out.Layers[0].LayerAvailability != types.LayerAvailabilityAvailable {
			refuse(x.w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
			return
		}
		x.w.Header().Set("Content-Length", strconv.FormatInt(aws.ToInt64(out.Layers[0].LayerSize), 10))
		x.w.Header().Set("Docker-Content-Digest", digest)
		x.w.WriteHeader(http.StatusOK)
		return
	}
	if _, err := call[ecr.GetDownloadUrlForLayerOutput](x, "GetDownloadUrlForLayer", &ecr.GetDownloadUrlForLayerInput{RepositoryName: &x.repository, LayerDigest: &digest}); err != nil {
		x.fail(err)
		return
	}
	x.s.serveBlob(x.w, x.r, digest)
}

// serveLink serves the blob of a download URL.
func (s *Service) serveLink(w http.ResponseWriter, r *http.Request, token string) {
	p, err := s.unseal(r.Context(), token)
	if err != nil || p.Blob == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusForbidden, "DENIED", "the link is none of this registry's, or has expired")
		return
	}
	s.serveBlob(w, r, p.Blob)
}

func (s *Service) serveBlob(w http.ResponseWriter, r *http.Request, digest string) {
	h, err := v1.NewHash(digest)
	if err != nil {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", err.Error())
		return
	}
	f, err := s.Blobs.Open(h)
	if err != nil {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", h.String())
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a layer may take longer than a call
	http.ServeContent(w, r, "", time.Time{}, f)
}
