package podidentity

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/eksact/eksact/internal/drain"
)

// Handler answers the AdmissionReviews of one cluster's pods, at /mutate.
type Handler struct {
	Settings
	// Account is what a service account asks for.
	Account func(ctx context.Context, namespace, name string) (Account, error)
	// Associated says whether a service account has a Pod Identity association.
	Associated func(namespace, name string) bool
	Log        *slog.Logger
}

// maxReview is read of a review: the API server takes objects of up to 3 MiB.
const maxReview = 4 << 20

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/mutate":
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		http.Error(w, "expected POST", http.StatusMethodNotAllowed)
		return
	case r.Header.Get("Content-Type") != "application/json":
		http.Error(w, "Invalid Content-Type, expected `application/json`", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	var review review
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err == nil && (review.Request == nil || review.Request.Object == nil || review.Kind != "AdmissionReview") {
		err = errors.New("not an AdmissionReview with a request about a pod")
	}
	if err != nil {
		http.Error(w, "expected a request body to be an AdmissionReview: "+err.Error(), http.StatusBadRequest)
		return
	}
	response, err := h.answer(r.Context(), review.Request)
	if err != nil {
		h.Log.Warn("a pod can't be given its AWS identity", "namespace", review.Request.Namespace, "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer, err := json.Marshal(answer{review.Kind, review.APIVersion, response})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// review is what is read of an AdmissionReview of admission.k8s.io/v1.
type review struct {
	Kind       string   `json:"kind"`
	APIVersion string   `json:"apiVersion"`
	Request    *request `json:"request"`
}

type request struct {
	UID       types.UID `json:"uid"`
	Namespace string    `json:"namespace"`
	Object    *Pod      `json:"object"`
}

// answer is the AdmissionReview sent back.
type answer struct {
	Kind       string                         `json:"kind"`
	APIVersion string                         `json:"apiVersion"`
	Response   *admissionv1.AdmissionResponse `json:"response"`
}

// answer is about one pod. An error is one of the call, which the webhook's failure
// policy passes by: a pod is never refused.
func (h *Handler) answer(ctx context.Context, q *request) (*admissionv1.AdmissionResponse, error) {
	out := &admissionv1.AdmissionResponse{UID: q.UID, Allowed: true}
	account, err := h.Account(ctx, q.Namespace, q.Object.Spec.ServiceAccountName)
	if err != nil {
		return nil, err
	}
	patch := Mutate(q.Object, account, h.Associated(q.Namespace, q.Object.Spec.ServiceAccountName), rand.Float64(), h.Settings)
	if len(patch) == 0 {
		return out, nil
	}
	if out.Patch, err = json.Marshal(patch); err != nil {
		return nil, err
	}
	kind := admissionv1.PatchTypeJSONPatch
	out.PatchType = &kind
	return out, nil
}

// patience is how long the requests at hand may take to end.
const patience = time.Second

// Serve answers on a listener of plain TCP until ctx ends, as authn.Handler does: the
// listener may outlive it, and callers wait in its queue then.
func (h *Handler) Serve(ctx context.Context, l net.Listener, tlsConfig *tls.Config) error {
	server := &http.Server{
		Handler: h, ErrorLog: slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute,
	}
	if err := drain.Serve(ctx, server, tls.NewListener(l, tlsConfig), patience); err != nil {
		return fmt.Errorf("pod identity webhook: %w", err)
	}
	return nil
}
