package issuer

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/eksact/eksact/internal/engine/oidc"
)

// Host is the name that all clusters of a region have their issuers at; domain is
// the partition's, "amazonaws.com".
func Host(region, domain string) string { return "oidc.eks." + region + "." + domain }

// Handler answers for issuers at Host, and passes on what is for other hosts.
type Handler struct {
	Host string
	// Keys are the public keys of the issuer of a cluster, by the cluster's id; false
	// if there is none.
	Keys func(id string) (jose.JSONWebKeySet, bool)
	Next http.Handler
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !strings.EqualFold(host, h.Host) {
		h.Next.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	id, document, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/id/"), "/")
	keys, ok := h.Keys(id)
	if !ok || !strings.HasPrefix(r.URL.Path, "/id/") {
		refuse(w, http.StatusNotFound)
		return
	}
	var body []byte
	var err error
	switch document {
	case ".well-known/openid-configuration":
		body, err = oidc.Discovery("https://" + h.Host + "/id/" + id)
	case "keys":
		body, err = json.Marshal(keys)
	default:
		refuse(w, http.StatusNotFound)
		return
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(body)
}

func refuse(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, `{"message":"`+http.StatusText(code)+`"}`)
}
