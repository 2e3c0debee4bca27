package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/singleflight"

	"github.com/eksact/eksact/internal/images"
)

// Options say where images may come from.
type Options struct {
	// Offline forbids asking other registries: what is not in the store is not found.
	Offline bool
	// Local tells which registries exist only here, by their host name, beside
	// those of AWS accounts, which always do.
	Local func(host string) bool
	// Fresh is how long a tag pulled from elsewhere is served without asking
	// its registry whether it moved; 0 means one hour.
	Fresh time.Duration
	// Transport carries requests to other registries; nil means one that obeys
	// the proxy variables and refuses this machine's own addresses.
	Transport http.RoundTripper
	// Log gets one line for each image fetched; nil means none.
	Log *slog.Logger
	// Now is the clock; nil means the machine's.
	Now func() time.Time
}

// Registry is the http.Handler. Make it with New.
type Registry struct {
	store     *images.Store
	o         Options
	manifests singleflight.Group
	blobs     keyed
}

// New makes a registry over store.
func New(store *images.Store, o Options) *Registry {
	if o.Fresh == 0 {
		o.Fresh = time.Hour
	}
	if o.Transport == nil {
		o.Transport = guarded()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Registry{store: store, o: o}
}

// request is what a client asks for.
type request struct {
	host string // registry, as in image names: docker.io
	repo string // library/nginx
	kind string // manifests or blobs
	ref  string // a tag or a digest
}

// name is the image's full name.
func (q request) name() string {
	if strings.Contains(q.ref, ":") {
		return q.host + "/" + q.repo + "@" + q.ref
	}
	return q.host + "/" + q.repo + ":" + q.ref
}

// The grammar of paths: distribution-spec, "Pulling manifests" and "Pulling blobs".
var (
	paths = regexp.MustCompile(`^/v2/([a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)/(manifests|blobs)/([a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}|sha256:[0-9a-f]{64})$`)
	hosts = regexp.MustCompile(`^[a-zA-Z0-9.-]+(:[0-9]{1,5})?$`)
	ecr   = regexp.MustCompile(`^[0-9]{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws)$`)
)

// ServeHTTP answers GET and HEAD of manifests and blobs.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry serves pulls only; add images with: eksact image load")
		return
	}
	if req.URL.Path == "/v2/" || req.URL.Path == "/v2" {
		w.WriteHeader(http.StatusOK)
		return
	}
	q, err := parse(req)
	if err != nil {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", err.Error())
		return
	}
	if q.kind == "blobs" {
		r.serveBlob(w, req, q)
		return
	}
	r.serveManifest(w, req, q)
}

// parse reads the path, and the registry from the parameter ns that containerd
// sends to mirrors, or else from the Host that the client believes it talks to.
func parse(req *http.Request) (request, error) {
	m := paths.FindStringSubmatch(req.URL.Path)
	if m == nil {
		return request{}, fmt.Errorf("%s is neither a manifest nor a blob", req.URL.Path)
	}
	host := req.URL.Query().Get("ns")
	if host == "" {
		host = req.Host
	}
	if !hosts.MatchString(host) {
		return request{}, fmt.Errorf("%q is not the name of a registry", host)
	}
	return request{host: images.Host(host), repo: m[1], kind: m[2], ref: m[3]}, nil
}

// remoteAllowed tells whether another registry may be asked for what q names.
func (r *Registry) remoteAllowed(q request) bool {
	return !r.o.Offline && !ecr.MatchString(q.host) && (r.o.Local == nil || !r.o.Local(q.host))
}

func (r *Registry) serveManifest(w http.ResponseWriter, req *http.Request, q request) {
	digest, mediaType, err := r.manifest(req.Context(), q)
	if err != nil {
		refuseFor(w, err, "MANIFEST_UNKNOWN")
		return
	}
	raw, err := r.store.Bytes(digest)
	if err != nil {
		refuseFor(w, err, "MANIFEST_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.Header().Set("Docker-Content-Digest", digest.String())
	w.WriteHeader(http.StatusOK)
	if req.Method == http.MethodGet {
		_, _ = w.Write(raw) // a client that went away needs no answer
	}
}

func (r *Registry) serveBlob(w http.ResponseWriter, req *http.Request, q request) {
	h, err := v1.NewHash(q.ref)
	if err != nil {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", err.Error())
		return
	}
	if r.serveStored(w, req, h) {
		return
	}
	if !r.remoteAllowed(q) {
		refuseFor(w, r.absent(q), "BLOB_UNKNOWN")
		return
	}
	// One request fetches; others for the same blob wait and then find it stored.
	unlock, err := r.blobs.lock(req.Context(), h.Hex)
	if err != nil {
		return // the client went away
	}
	defer unlock()
	if r.serveStored(w, req, h) {
		return
	}
	if err := r.streamBlob(w, req, q, h); err != nil {
		refuseFor(w, err, "BLOB_UNKNOWN")
	}
}

// serveStored answers with a blob of the store, ranges included.
func (r *Registry) serveStored(w http.ResponseWriter, req *http.Request, h v1.Hash) bool {
	f, err := r.store.Open(h)
	if err != nil {
		return false
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", h.String())
	http.ServeContent(w, req, "", time.Time{}, f)
	return true
}

// absent is the error for what is not here and may not be asked for elsewhere.
func (r *Registry) absent(q request) error {
	why := "the network is switched off for images"
	if !r.o.Offline {
		why = "registry " + q.host + " exists only here"
	}
	return fmt.Errorf("%s: %w; %s", q.name(), images.ErrUnknown, why)
}

// mediaTypeOf finds a manifest's media type where only its bytes are known. OCI
// manifests may leave it out; what they hold then tells them apart.
func mediaTypeOf(raw []byte) (string, error) {
	var m struct {
		MediaType string            `json:"mediaType"`
		Manifests []json.RawMessage `json:"manifests"`
		Layers    []json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", fmt.Errorf("not a manifest: %w", err)
	}
	switch {
	case m.MediaType != "":
		return m.MediaType, nil
	case m.Manifests != nil:
		return string(types.OCIImageIndex), nil
	case m.Layers != nil:
		return string(types.OCIManifestSchema1), nil
	}
	return "", errors.New("not a manifest: it has neither layers nor manifests")
}

// refuse answers with an error in the protocol's form (distribution-spec,
// "Error Codes").
func refuse(w http.ResponseWriter, status int, code, message string) {
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string][]item{"errors": {{code, message}}})
}
