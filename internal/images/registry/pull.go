package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/eksact/eksact/internal/images"
)

// Time limits for other registries: a manifest is a few kilobytes, and a tag
// that is here already is not worth a long wait.
const (
	manifestLimit = 30 * time.Second
	recheckLimit  = 5 * time.Second
)

// manifest finds the manifest that q names, in the store or elsewhere, and
// leaves it in the store.
func (r *Registry) manifest(ctx context.Context, q request) (v1.Hash, string, error) {
	if h, err := v1.NewHash(q.ref); err == nil {
		if raw, err := r.store.Bytes(h); err == nil {
			mediaType, err := mediaTypeOf(raw)
			return h, mediaType, err
		}
	} else if image, err := r.store.Get(q.name()); err == nil {
		if !image.Pulled() || !r.remoteAllowed(q) || r.o.Now().Sub(image.Checked) < r.o.Fresh || r.current(ctx, q, image) {
			return image.Digest, image.MediaType, nil
		}
	} else if !errors.Is(err, images.ErrUnknown) {
		return v1.Hash{}, "", err
	}
	if !r.remoteAllowed(q) {
		return v1.Hash{}, "", r.absent(q)
	}
	return r.pull(q)
}

// current asks the registry whether a tag still names what is here. When the
// registry does not answer, what is here is as good as it gets.
func (r *Registry) current(ctx context.Context, q request, image images.Image) bool {
	ctx, cancel := context.WithTimeout(ctx, recheckLimit)
	defer cancel()
	ref, err := name.ParseReference(q.name())
	if err != nil {
		return true
	}
	desc, err := remote.Head(ref, r.remote(ctx)...)
	if err != nil {
		return true
	}
	if desc.Digest != image.Digest {
		return false
	}
	if err := r.store.Tag(image.Name, image.Digest, image.MediaType, r.o.Now()); err != nil {
		r.o.Log.Warn("image not marked as current", "image", image.Name, "error", err)
	}
	return true
}

// pulled is the outcome of a pull, for all who wait for it.
type pulled struct {
	digest    v1.Hash
	mediaType string
}

// pull fetches a manifest, stores it and names it. Requests for the same one at
// the same time share one fetch, which goes on if the first of them leaves.
func (r *Registry) pull(q request) (v1.Hash, string, error) {
	out, err, _ := r.manifests.Do(q.name(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), manifestLimit)
		defer cancel()
		ref, err := name.ParseReference(q.name())
		if err != nil {
			return nil, err
		}
		desc, err := remote.Get(ref, r.remote(ctx)...)
		if err != nil {
			return nil, upstream(q, err)
		}
		// Asked before the manifest is stored: part of an index that is here
		// already needs no name of its own.
		known := strings.Contains(q.ref, ":") && r.reachable(desc.Digest)
		if err := r.store.Put(desc.Digest, bytes.NewReader(desc.Manifest)); err != nil {
			return nil, err
		}
		if !known {
			if err := r.store.Tag(q.name(), desc.Digest, string(desc.MediaType), r.o.Now()); err != nil {
				return nil, err
			}
		}
		r.o.Log.Info("image fetched", "image", q.name(), "digest", desc.Digest.String())
		return pulled{desc.Digest, string(desc.MediaType)}, nil
	})
	if err != nil {
		return v1.Hash{}, "", err
	}
	p := out.(pulled)
	return p.digest, p.mediaType, nil
}

// reachable tells whether some image of the store leads to the manifest h.
func (r *Registry) reachable(h v1.Hash) bool {
	list, err := r.store.List()
	if err != nil {
		return false
	}
	for _, image := range list {
		if r.store.Reaches(image, h) {
			return true
		}
	}
	return false
}

// streamBlob fetches a blob, passes it to the client as it comes and stores it.
// Once the first byte is out an error can only be told by breaking off.
func (r *Registry) streamBlob(w http.ResponseWriter, req *http.Request, q request, h v1.Hash) error {
	ref, err := name.NewDigest(q.name())
	if err != nil {
		return err
	}
	layer, err := remote.Layer(ref, r.remote(req.Context())...)
	if err != nil {
		return upstream(q, err)
	}
	w.Header().Set("Docker-Content-Digest", h.String())
	if req.Method == http.MethodHead {
		size, err := layer.Size()
		if err != nil {
			return upstream(q, err)
		}
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		w.WriteHeader(http.StatusOK)
		return nil
	}
	body, err := layer.Compressed()
	if err != nil {
		return upstream(q, err)
	}
	defer body.Close()
	if req.Header.Get("Range") != "" { // a resumed download: fetch it all, then serve the part
		if err := r.store.Put(h, body); err != nil {
			return upstream(q, err)
		}
		r.serveStored(w, req, h)
		return nil
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := r.store.Put(h, io.TeeReader(body, w)); err != nil {
		r.o.Log.Warn("blob not fetched", "image", q.name(), "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (r *Registry) remote(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(r.o.Transport)}
}

// failure is another registry's refusal, or silence.
type failure struct {
	status int // the one to answer with
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// upstream words an error of another registry. A refusal for want of
// credentials is reported as "not found", as registries themselves do for
// repositories one may not see: this one has no credentials to offer, and a 401
// would make containerd look for some.
func upstream(q request, err error) error {
	var refused *transport.Error
	if errors.As(err, &refused) {
		switch refused.StatusCode {
		case http.StatusNotFound:
			return &failure{http.StatusNotFound, fmt.Errorf("%s is not in the image store, and registry %s does not have it", q.name(), q.host)}
		case http.StatusUnauthorized, http.StatusForbidden:
			return &failure{http.StatusNotFound, fmt.Errorf("%s is not in the image store, and registry %s gives it only to those who sign in; load it with: eksact image load", q.name(), q.host)}
		case http.StatusTooManyRequests:
			return &failure{http.StatusTooManyRequests, fmt.Errorf("%s: registry %s limits the rate of pulls", q.name(), q.host)}
		}
	}
	return &failure{http.StatusBadGateway, fmt.Errorf("%s is not in the image store, and registry %s can't be asked: %w", q.name(), q.host, err)}
}

// refuseFor answers with the status that fits err.
func refuseFor(w http.ResponseWriter, err error, unknown string) {
	var f *failure
	switch {
	case errors.As(err, &f):
		refuse(w, f.status, unknown, err.Error())
	case errors.Is(err, images.ErrUnknown):
		refuse(w, http.StatusNotFound, unknown, err.Error())
	default:
		refuse(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
	}
}
