package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/eksact/eksact/internal/images"
)

// world is a registry under test with another one behind it.
type world struct {
	t        *testing.T
	store    *images.Store
	mirror   *httptest.Server
	upstream *httptest.Server
	asked    atomic.Int64                                  // requests the one behind got
	spoil    func(http.ResponseWriter, *http.Request) bool // answers in its place
	now      time.Time
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	behind := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	w.upstream = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		if w.spoil == nil || !w.spoil(rw, r) {
			behind.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(w.upstream.Close)
	store, err := images.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.store = store
	o.Now = func() time.Time { return w.now }
	if o.Transport == nil {
		o.Transport = http.DefaultTransport // the one behind listens on loopback
	}
	w.mirror = httptest.NewServer(New(store, o))
	t.Cleanup(w.mirror.Close)
	return w
}

// host of the registry behind, as image names have it.
func (w *world) host() string { return strings.TrimPrefix(w.upstream.URL, "http://") }

// push puts an image into the registry behind, and forgets that it was asked.
func (w *world) push(repo string, img v1.Image) {
	w.t.Helper()
	ref, err := name.ParseReference(w.host() + "/" + repo)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		w.t.Fatal(err)
	}
	w.asked.Store(0)
}

// mirrored sends each request to the mirror as containerd does, with ?ns=.
type mirrored struct {
	mirror string
	ns     string
}

func (m mirrored) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(m.mirror, "http://")
	r.URL.Scheme = "http"
	q := r.URL.Query()
	q.Set("ns", m.ns)
	r.URL.RawQuery = q.Encode()
	return http.DefaultTransport.RoundTrip(r)
}

// pull pulls host/repo through the mirror, every byte, and checks all digests.
func (w *world) pull(host, repo string) (v1.Image, error) {
	ref, err := name.ParseReference(host+"/"+repo, name.Insecure)
	if err != nil {
		w.t.Fatal(err)
	}
	img, err := remote.Image(ref, remote.WithTransport(mirrored{w.mirror.URL, host}))
	if err != nil {
		return nil, err
	}
	return img, validate.Image(img)
}

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(3000, 3)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func same(t *testing.T, a, b v1.Image) {
	t.Helper()
	da, _ := a.Digest()
	db, _ := b.Digest()
	if da != db {
		t.Errorf("image %s, want %s", da, db)
	}
}

func TestLocalFirst(t *testing.T) {
	w := newWorld(t, Options{})
	img := randomImage(t)
	w.push("library/nginx:latest", randomImage(t)) // another image of that name behind
	if _, err := w.store.Add(images.Named{Name: w.host() + "/library/nginx:latest", Image: img}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(1000 * time.Hour)
	got, err := w.pull(w.host(), "library/nginx:latest")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, img)
	digest, _ := img.Digest()
	if got, err = w.pull(w.host(), "library/nginx@"+digest.String()); err != nil {
		t.Fatal(err)
	}
	same(t, got, img)
	if n := w.asked.Load(); n != 0 {
		t.Errorf("the other registry was asked %d times", n)
	}
}

func TestDockerHubNames(t *testing.T) {
	w := newWorld(t, Options{Offline: true})
	img := randomImage(t)
	if _, err := w.store.Add(images.Named{Name: "docker.io/library/nginx:latest", Image: img}); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"docker.io", "index.docker.io", "registry-1.docker.io"} {
		resp, err := http.Head(w.mirror.URL + "/v2/library/nginx/manifests/latest?ns=" + ns)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		digest, _ := img.Digest()
		if resp.StatusCode != 200 || resp.Header.Get("Docker-Content-Digest") != digest.String() || resp.ContentLength < 100 {
			t.Errorf("ns=%s: %s, %v", ns, resp.Status, resp.Header)
		}
	}
}

func TestPullThrough(t *testing.T) {
	w := newWorld(t, Options{})
	img := randomImage(t)
	w.push("team/app:v1", img)
	got, err := w.pull(w.host(), "team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, img)
	if i, err := w.store.Get(w.host() + "/team/app:v1"); err != nil || !i.Pulled() {
		t.Errorf("stored as %+v, %v", i, err)
	}

	w.upstream.Close() // from here on the store alone answers, even when the tag is old
	w.now = w.now.Add(48 * time.Hour)
	if got, err = w.pull(w.host(), "team/app:v1"); err != nil {
		t.Fatal(err)
	}
	same(t, got, img)
}

func TestIndexIsOneImage(t *testing.T) {
	w := newWorld(t, Options{})
	img := randomImage(t)
	index := mutate.AppendManifests(mutate.IndexMediaType(emptyIndex(t), types.OCIImageIndex), mutate.IndexAddendum{
		Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})
	ref, _ := name.ParseReference(w.host() + "/team/app:v1")
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	got, err := w.pull(w.host(), "team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, img)
	list, err := w.store.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("stored %+v, %v: want the index alone", list, err)
	}
	if err := w.store.Remove(list[0].Name); err != nil {
		t.Fatal(err)
	}
	digest, _ := img.Digest()
	if w.store.Has(digest) {
		t.Error("removing the index left its image's manifest")
	}
}

func emptyIndex(t *testing.T) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(10, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// TestTagMoves: a tag is asked for again only once it is old, and then followed.
func TestTagMoves(t *testing.T) {
	w := newWorld(t, Options{Fresh: time.Hour})
	first, second := randomImage(t), randomImage(t)
	w.push("app:latest", first)
	if _, err := w.pull(w.host(), "app:latest"); err != nil {
		t.Fatal(err)
	}
	w.push("app:latest", second)
	w.now = w.now.Add(59 * time.Minute)
	got, err := w.pull(w.host(), "app:latest")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, first)
	if n := w.asked.Load(); n != 0 {
		t.Errorf("a fresh tag was asked for %d times", n)
	}
	w.now = w.now.Add(2 * time.Minute)
	if got, err = w.pull(w.host(), "app:latest"); err != nil {
		t.Fatal(err)
	}
	same(t, got, second)
}

func TestConcurrentPullsFetchOnce(t *testing.T) {
	w := newWorld(t, Options{})
	img := randomImage(t)
	w.push("app:v1", img)
	var blobs sync.Map
	w.spoil = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			n, _ := blobs.LoadOrStore(r.URL.Path, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		}
		return false
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := w.pull(w.host(), "app:v1")
			if err != nil {
				t.Error(err)
				return
			}
			same(t, got, img)
		})
	}
	wg.Wait()
	blobs.Range(func(path, n any) bool {
		if got := n.(*atomic.Int64).Load(); got != 1 {
			t.Errorf("%s was fetched %d times", path, got)
		}
		return true
	})
}

// TestSpoiled: content that does not have its digest is neither served as whole
// nor kept, and a later good answer is taken.
func TestSpoiled(t *testing.T) {
	w := newWorld(t, Options{})
	img := randomImage(t)
	w.push("app:v1", img)
	layers, _ := img.Layers()
	h, _ := layers[0].Digest()
	for name, body := range map[string][]byte{"other bytes": bytes.Repeat([]byte("x"), 5000), "cut short": []byte("x")} {
		w.spoil = func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, h.String()) {
				return false
			}
			_, _ = rw.Write(body)
			return true
		}
		resp, err := http.Get(w.mirror.URL + "/v2/app/blobs/" + h.String() + "?ns=" + w.host())
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the client was told that it has the whole blob", name)
		}
		if w.store.Has(h) {
			t.Errorf("%s: stored", name)
		}
	}
	w.spoil = nil
	if _, err := w.pull(w.host(), "app:v1"); err != nil {
		t.Error(err)
	}
}

// TestRefused lists what is not served, and with which error.
func TestRefused(t *testing.T) {
	offline := newWorld(t, Options{Offline: true})
	online := newWorld(t, Options{Local: func(h string) bool { return h == "ours.example" }})
	locked := newWorld(t, Options{})
	locked.spoil = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusUnauthorized); return true }
	dead := newWorld(t, Options{})
	dead.spoil = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusNotImplemented)
		return true
	}
	digest := "sha256:" + strings.Repeat("a", 64)
	for _, tc := range []struct {
		name   string
		w      *world
		method string
		path   string
		status int
		says   string
		asks   bool
	}{
		{"offline", offline, "GET", "/v2/library/nginx/manifests/latest?ns=docker.io", 404, "switched off", false},
		{"offline blob", offline, "GET", "/v2/library/nginx/blobs/" + digest + "?ns=docker.io", 404, "switched off", false},
		{"ours", online, "GET", "/v2/x/manifests/v1?ns=ours.example", 404, "exists only here", false},
		{"an account's ECR", online, "GET", "/v2/x/manifests/v1?ns=111122223333.dkr.ecr.us-west-2.amazonaws.com", 404, "exists only here", false},
		{"unknown there", online, "GET", "/v2/x/manifests/v1?ns=" + online.host(), 404, "does not have it", true},
		{"unknown blob there", online, "GET", "/v2/x/blobs/" + digest + "?ns=" + online.host(), 404, "does not have it", true},
		{"sign in", locked, "GET", "/v2/x/manifests/v1?ns=" + locked.host(), 404, "sign in", true},
		{"broken", dead, "GET", "/v2/x/manifests/v1?ns=" + dead.host(), 502, "can't be asked", true},
		{"push", online, "PUT", "/v2/x/manifests/v1", 405, "pulls only", false},
		{"upload", online, "POST", "/v2/x/blobs/uploads/", 405, "pulls only", false},
		{"delete", online, "DELETE", "/v2/x/manifests/v1", 405, "pulls only", false},
		{"odd path", online, "GET", "/v2/x/../y/manifests/v1?ns=docker.io", 404, "neither", false},
		{"capitals", online, "GET", "/v2/X/manifests/v1?ns=docker.io", 404, "neither", false},
		{"odd registry", online, "GET", "/v2/x/manifests/v1?ns=a/b", 404, "not the name of a registry", false},
		{"catalog", online, "GET", "/v2/_catalog", 404, "neither", false},
	} {
		tc.w.asked.Store(0)
		req, _ := http.NewRequest(tc.method, tc.w.mirror.URL, nil)
		req.URL.Opaque = tc.path
		if u, err := req.URL.Parse(tc.path); err == nil && !strings.Contains(tc.path, "..") {
			req.URL = u
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		var body struct {
			Errors []struct{ Code, Message string }
		}
		err = json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		if resp.StatusCode != tc.status || err != nil || len(body.Errors) != 1 || !strings.Contains(body.Errors[0].Message, tc.says) {
			t.Errorf("%s: %s, %+v, %v; want %d saying %q", tc.name, resp.Status, body, err, tc.status, tc.says)
		}
		if asked := tc.w.asked.Load() > 0; asked != tc.asks {
			t.Errorf("%s: other registry asked: %v, want %v", tc.name, asked, tc.asks)
		}
		if list, _ := tc.w.store.List(); len(list) > 0 {
			t.Errorf("%s: stored %v", tc.name, list)
		}
	}
}

// TestOwnAddresses uses the transport that is used outside tests.
func TestOwnAddresses(t *testing.T) {
	w := newWorld(t, Options{Transport: guarded()})
	w.push("app:v1", randomImage(t))
	port := w.host()[strings.LastIndex(w.host(), ":"):]
	for _, host := range []string{w.host(), "localhost" + port, "0.0.0.0" + port} {
		resp, err := http.Get(w.mirror.URL + "/v2/app/manifests/v1?ns=" + host)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), errOwnAddress.Error()) {
			t.Errorf("%s: %s %s", host, resp.Status, body)
		}
	}
	if n := w.asked.Load(); n != 0 {
		t.Errorf("this machine's own address was dialled: %d requests", n)
	}
	if err := refuseOwn("tcp", "192.0.2.1:443", nil); err != nil {
		t.Errorf("another machine's address is refused: %v", err)
	}
	for _, own := range []string{"127.0.0.1:443", "[::1]:443", "169.254.169.254:80", "0.0.0.0:1", "nonsense"} {
		if err := refuseOwn("tcp", own, nil); err == nil {
			t.Errorf("%s may be dialled", own)
		}
	}
}

func TestRange(t *testing.T) {
	w := newWorld(t, Options{})
	img := randomImage(t)
	w.push("app:v1", img)
	layers, _ := img.Layers()
	h, _ := layers[0].Digest()
	rc, _ := layers[0].Compressed()
	whole, _ := io.ReadAll(rc)
	for range 2 { // fetched, then stored
		req, _ := http.NewRequest("GET", w.mirror.URL+"/v2/app/blobs/"+h.String()+"?ns="+w.host(), nil)
		req.Header.Set("Range", "bytes=100-")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		part, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[100:]) {
			t.Errorf("%s, %d bytes of %d", resp.Status, len(part), len(whole)-100)
		}
	}
}

func TestKeyedGivesUp(t *testing.T) {
	var k keyed
	unlock, err := k.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := timeout(t)
	defer cancel()
	if _, err := k.lock(ctx, "a"); !errors.Is(err, ctx.Err()) || err == nil {
		t.Errorf("lock of a held key: %v", err)
	}
	unlock()
	if unlock, err = k.lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func timeout(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), time.Millisecond)
}
