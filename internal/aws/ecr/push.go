package ecr

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// upload takes a step of an upload: it is begun by POST, goes on by PATCH and ends by PUT.
func (x *exchange) upload(id string) {
	switch {
	case id == "" && x.r.Method == http.MethodPost:
		x.begin()
	case id != "" && x.r.Method == http.MethodPatch:
		if x.receive(id) {
			x.going(id, http.StatusAccepted)
		}
	case id != "" && x.r.Method == http.MethodPut:
		if x.receive(id) {
			x.finish(id, x.r.URL.Query().Get("digest"))
		}
	case id != "" && x.r.Method == http.MethodGet:
		x.going(id, http.StatusNoContent)
	default:
		refuse(x.w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
	}
}

// begin starts an upload. A blob of another repository that the caller may read there is
// taken from it; one that comes with the request is complete.
func (x *exchange) begin() {
	q := x.r.URL.Query()
	if digest := q.Get("mount"); digest != "" && x.mount(digest, q.Get("from")) {
		return
	}
	out, err := call[ecr.InitiateLayerUploadOutput](x, "InitiateLayerUpload", &ecr.InitiateLayerUploadInput{RepositoryName: &x.repository})
	if err != nil {
		x.fail(err)
		return
	}
	id := aws.ToString(out.UploadId)
	if digest := q.Get("digest"); digest != "" {
		if x.receive(id) {
			x.finish(id, digest)
		}
		return
	}
	x.going(id, http.StatusAccepted)
}

// mount answers where the repository has the blob already: as ECR does, one of another
// repository is uploaded once more.
func (x *exchange) mount(digest, _ string) bool {
	out, err := call[ecr.BatchCheckLayerAvailabilityOutput](x, "BatchCheckLayerAvailability", &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &x.repository, LayerDigests: []string{digest}})
	if err != nil || len(out.Layers) == 0 || out.Layers[0].LayerAvailability != types.LayerAvailabilityAvailable {
		return false
	}
	x.made(digest)
	return true
}

// received is how many bytes of an upload are here.
func (x *exchange) received(id string) (int64, error) {
	u, err := x.s.upload(nil, &x.repository, &id)
	if err != nil {
		return 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.size, nil
}

// receive hands on the request's body in parts. It is false when it has answered.
func (x *exchange) receive(id string) bool {
	at, err := x.received(id)
	if err != nil {
		x.fail(err)
		return false
	}
	if begin, _, ok := strings.Cut(x.r.Header.Get("Content-Range"), "-"); ok {
		if n, err := strconv.ParseInt(begin, 10, 64); err != nil || n != at {
			refuse(x.w, http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", fmt.Sprintf("the next byte is %d", at))
			return false
		}
	}
	control := http.NewResponseController(x.w)
	part := make([]byte, partSize)
	for {
		_ = control.SetReadDeadline(time.Now().Add(time.Minute)) // a layer may take longer than a call
		n, err := io.ReadFull(x.r.Body, part)
		if n > 0 {
			_, failed := call[ecr.UploadLayerPartOutput](x, "UploadLayerPart", &ecr.UploadLayerPartInput{
				RepositoryName: &x.repository, UploadId: &id, LayerPartBlob: part[:n], PartFirstByte: aws.Int64(at), PartLastByte: aws.Int64(at + int64(n) - 1),
			})
			if failed != nil {
				x.fail(failed)
				return false
			}
			at += int64(n)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			_ = control.SetWriteDeadline(time.Now().Add(time.Minute))
			return true
		}
		return false // the client went away
	}
}

// going says where an upload goes on.
func (x *exchange) going(id string, status int) {
	at, err := x.received(id)
	if err != nil {
		x.fail(err)
		return
	}
	h := x.w.Header()
	h.Set("Location", "/v2/"+x.repository+"/blobs/uploads/"+id)
	h.Set("Docker-Upload-Uuid", id)
	h.Set("Range", fmt.Sprintf("0-%d", max(at-1, 0)))
	h.Set("Content-Length", "0")
	x.w.WriteHeader(status)
}

func (x *exchange) finish(id, digest string) {
	_, err := call[ecr.CompleteLayerUploadOutput](x, "CompleteLayerUpload", &ecr.CompleteLayerUploadInput{RepositoryName: &x.repository, UploadId: &id, LayerDigests: []string{digest}})
	var there *types.LayerAlreadyExistsException
	if err != nil && !errors.As(err, &there) {
		x.fail(err)
		return
	}
	x.made(digest)
}

func (x *exchange) made(digest string) {
	x.w.Header().Set("Location", "/v2/"+x.repository+"/blobs/"+digest)
	x.w.Header().Set("Docker-Content-Digest", digest)
	x.w.WriteHeader(http.StatusCreated)
}
