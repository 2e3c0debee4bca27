package ecr

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/store"
)

const (
	partSize    = 10 << 20       // that clients are told to send, bytes
	mostOfLayer = 50 << 30       // bytes
	uploadLife  = 24 * time.Hour // of an upload that stands still
)

// upload is a layer on its way.
type upload struct {
	mu         sync.Mutex
	id         string
	repository string
	file       *os.File
	size       int64
	moved      time.Time
}

func (u *upload) drop() {
	_ = u.file.Close()
	_ = os.Remove(u.file.Name())
}

// has finds a blob of a repository.
func (s *Service) has(repository, digest string) (Layer, v1.Hash, bool) {
	h, err := v1.NewHash(digest)
	l, ok := s.layers.Get(of(repository, digest))
	return l, h, err == nil && ok && s.Blobs.Has(h)
}

// BatchCheckLayerAvailability says which layers a repository has.
func (s *Service) BatchCheckLayerAvailability(_ context.Context, in *ecr.BatchCheckLayerAvailabilityInput) (*ecr.BatchCheckLayerAvailabilityOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchCheckLayerAvailabilityOutput{Layers: []types.Layer{}, Failures: []types.LayerFailure{}}
	for _, digest := range in.LayerDigests {
		if _, err := v1.NewHash(digest); err != nil {
			out.Failures = append(out.Failures, types.LayerFailure{LayerDigest: &digest, FailureCode: types.LayerFailureCodeInvalidLayerDigest, FailureReason: aws.String("Invalid layer digest")})
			continue
		}
		l, _, ok := s.has(r.Name, digest)
		layer := types.Layer{LayerDigest: &digest, LayerAvailability: types.LayerAvailabilityUnavailable}
		if ok {
			layer.LayerAvailability, layer.LayerSize, layer.MediaType = types.LayerAvailabilityAvailable, &l.Size, &l.MediaType
		}
		out.Layers = append(out.Layers, layer)
	}
	return out, nil
}

// GetDownloadUrlForLayer gives a link to a layer.
func (s *Service) GetDownloadUrlForLayer(ctx context.Context, in *ecr.GetDownloadUrlForLayerInput) (*ecr.GetDownloadUrlForLayerOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	digest := aws.ToString(in.LayerDigest)
	if _, _, ok := s.has(r.Name, digest); !ok {
		return nil, &types.LayersNotFoundException{Message: aws.String("The layer with digest '" + digest + "' does not exist in the repository " + s.inRegistry(r.Name))}
	}
	token, err := s.seal(ctx, pass{Blob: digest, Expires: s.Now().UTC().Add(linkLife)})
	if err != nil {
		return nil, err
	}
	return &ecr.GetDownloadUrlForLayerOutput{LayerDigest: &digest, DownloadUrl: aws.String("https://" + s.Host() + linkPath + token)}, nil
}

// InitiateLayerUpload begins an upload.
func (s *Service) InitiateLayerUpload(_ context.Context, in *ecr.InitiateLayerUploadInput) (*ecr.InitiateLayerUploadOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(s.Dir, "upload-*")
	if err != nil {
		return nil, err
	}
	u := &upload{id: uuid.NewString(), repository: r.Name, file: file, moved: s.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, old := range s.uploads {
		if s.Now().Sub(old.moved) > uploadLife {
			old.drop()
			delete(s.uploads, id)
		}
	}
	s.uploads[u.id] = u
	return &ecr.InitiateLayerUploadOutput{UploadId: &u.id, PartSize: aws.Int64(partSize)}, nil
}

// upload finds one of a repository.
func (s *Service) upload(registry, repository, id *string) (*upload, error) {
	r, err := s.repository(s.repositories.Get, registry, repository)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[aws.ToString(id)]
	if u == nil || u.repository != r.Name {
		return nil, &types.UploadNotFoundException{Message: aws.String("The upload with id '" + aws.ToString(id) + "' does not exist in the repository " + s.inRegistry(r.Name))}
	}
	return u, nil
}

// UploadLayerPart takes the next bytes of a layer.
func (s *Service) UploadLayerPart(_ context.Context, in *ecr.UploadLayerPartInput) (*ecr.UploadLayerPartOutput, error) {
	u, err := s.upload(in.RegistryId, in.RepositoryName, in.UploadId)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	first, last := aws.ToInt64(in.PartFirstByte), aws.ToInt64(in.PartLastByte)
	if first != u.size || last-first+1 != int64(len(in.LayerPartBlob)) || last+1 > mostOfLayer {
		return nil, &types.InvalidLayerPartException{
			Message:    aws.String("The part is not the next one of the upload, or not of the size that it says"),
			RegistryId: &s.Place.AccountID, RepositoryName: &u.repository, UploadId: &u.id, LastValidByteReceived: aws.Int64(u.size - 1),
		}
	}
	if _, err := u.file.WriteAt(in.LayerPartBlob, u.size); err != nil {
		return nil, err
	}
	u.size += int64(len(in.LayerPartBlob))
	u.moved = s.Now()
	return &ecr.UploadLayerPartOutput{RegistryId: &s.Place.AccountID, RepositoryName: &u.repository, UploadId: &u.id, LastByteReceived: aws.Int64(u.size - 1)}, nil
}

// CompleteLayerUpload ends an upload, whose bytes must have the digest.
func (s *Service) CompleteLayerUpload(ctx context.Context, in *ecr.CompleteLayerUploadInput) (*ecr.CompleteLayerUploadOutput, error) {
	u, err := s.upload(in.RegistryId, in.RepositoryName, in.UploadId)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(in.LayerDigests) != 1 {
		return nil, &types.InvalidLayerException{Message: aws.String("One digest of SHA-256 is needed")}
	}
	h, err := v1.NewHash(in.LayerDigests[0])
	switch {
	case err != nil || h.Algorithm != "sha256":
		return nil, &types.InvalidLayerException{Message: aws.String("One digest of SHA-256 is needed")}
	case u.size == 0:
		return nil, &types.EmptyUploadException{Message: aws.String("The upload has no parts")}
	}
	if _, _, ok := s.has(u.repository, h.String()); ok {
		s.end(u)
		return nil, &types.LayerAlreadyExistsException{Message: aws.String("Layer with digest '" + h.String() + "' already exists in the repository " + s.inRegistry(u.repository))}
	}
	if _, err := u.file.Seek(0, 0); err != nil {
		return nil, err
	}
	if err := s.Blobs.Put(h, u.file); err != nil {
		return nil, &types.InvalidLayerException{Message: aws.String("Layer digest does not match: " + err.Error())}
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.repository(s.repositories.In(tx).Get, in.RegistryId, in.RepositoryName); err != nil {
			return err
		}
		s.layers.In(tx).Put(of(u.repository, h.String()), Layer{Size: u.size, MediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip"})
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.end(u)
	return &ecr.CompleteLayerUploadOutput{LayerDigest: aws.String(h.String()), RegistryId: &s.Place.AccountID, RepositoryName: &u.repository, UploadId: &u.id}, nil
}

func (s *Service) end(u *upload) {
	s.mu.Lock()
	delete(s.uploads, u.id)
	s.mu.Unlock()
	u.drop()
}

// forget gives up the bytes of images that are gone, save what others lead to.
func (s *Service) forget(gone []Image) {
	for _, i := range gone {
		if err := s.Blobs.Remove(s.blobName(i.Repository, i.Digest)); err != nil {
			s.Log.Error("ecr: the bytes of an image stay on disk", "repository", i.Repository, "digest", i.Digest, "error", err)
		}
	}
}

// blobName is what an image is called in the store of blobs.
func (s *Service) blobName(repository, digest string) string {
	return s.Host() + "/" + repository + "@" + digest
}

// unlink takes away the layers that no image of a repository has any more.
func (s *Service) unlink(tx *store.Tx, repository string, gone []string) {
	var kept []string
	for _, i := range s.images.In(tx).List(of(repository, "")) {
		kept = append(kept, i.Layers...)
	}
	for _, digest := range gone {
		if !slices.Contains(kept, digest) {
			s.layers.In(tx).Delete(of(repository, digest))
		}
	}
}
