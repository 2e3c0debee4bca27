package ecr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	mediatypes "github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/eksact/eksact/internal/store"
)

var tagForm = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// manifest is what is read of one, or of an index.
type manifest struct {
	MediaType string
	Config    struct {
		MediaType, Digest string
		Size              int64
	}
	Layers    []struct{ Digest string }
	Manifests []struct{ Digest string }
}

// read makes the record of a manifest: what it is, and what it needs.
func read(repository, text, mediaType string) (Image, error) {
	var m manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return Image{}, invalid("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'")
	}
	sum := sha256.Sum256([]byte(text))
	i := Image{Repository: repository, Digest: "sha256:" + hex.EncodeToString(sum[:]), MediaType: mediaType, Artifact: m.Config.MediaType}
	if i.MediaType == "" {
		i.MediaType = m.MediaType
	}
	if i.MediaType == "" {
		i.MediaType = string(mediatypes.OCIManifestSchema1)
		if m.Manifests != nil {
			i.MediaType = string(mediatypes.OCIImageIndex)
		}
	}
	switch mediatypes.MediaType(i.MediaType) {
	case mediatypes.OCIManifestSchema1, mediatypes.DockerManifestSchema2:
		if m.Config.Digest == "" {
			return i, invalid("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'A manifest needs a configuration'")
		}
		i.Layers = append(i.Layers, m.Config.Digest)
		for _, l := range m.Layers {
			i.Layers = append(i.Layers, l.Digest)
		}
	case mediatypes.OCIImageIndex, mediatypes.DockerManifestList:
		i.Artifact = ""
		for _, x := range m.Manifests {
			i.Images = append(i.Images, x.Digest)
		}
	default:
		return i, invalid("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'The media type %s is not supported'", i.MediaType)
	}
	return i, nil
}

// PutImage makes an image of layers that are there, or moves a tag.
func (s *Service) PutImage(ctx context.Context, in *ecr.PutImageInput) (*ecr.PutImageOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	text, tag := aws.ToString(in.ImageManifest), aws.ToString(in.ImageTag)
	made, err := read(r.Name, text, aws.ToString(in.ImageManifestMediaType))
	switch {
	case err != nil:
		return nil, err
	case aws.ToString(in.ImageDigest) != "" && *in.ImageDigest != made.Digest:
		return nil, &types.ImageDigestDoesNotMatchException{Message: aws.String("The image digest '" + *in.ImageDigest + "' does not match that of the manifest, '" + made.Digest + "'")}
	case tag != "" && !tagForm.MatchString(tag):
		return nil, invalid("Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression '%s''", `[a-zA-Z0-9-_.]{1,128}`)
	}
	h, err := v1.NewHash(made.Digest)
	if err != nil {
		return nil, err
	}
	// The bytes first: a name that promises what is not there would be worse.
	if err := s.Blobs.Put(h, strings.NewReader(text)); err != nil {
		return nil, err
	}
	made.Pushed = s.Now().UTC()
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		return s.put(tx, &made, tag, in.RepositoryName)
	})
	if err != nil {
		return nil, err
	}
	if err := s.Blobs.Tag(s.blobName(r.Name, made.Digest), h, made.MediaType, time.Time{}); err != nil {
		return nil, err
	}
	return &ecr.PutImageOutput{Image: s.shown(&made, tag, text)}, nil
}

// put records an image with its tag, which another may lose.
func (s *Service) put(tx *store.Tx, made *Image, tag string, repository *string) error {
	r, err := s.repository(s.repositories.In(tx).Get, nil, repository)
	if err != nil {
		return err
	}
	if err := s.complete(tx, made); err != nil {
		return err
	}
	key := of(r.Name, made.Digest)
	old, there := s.images.In(tx).Get(key)
	if there {
		made.Tags, made.Pushed, made.Pulled = slices.Clone(old.Tags), old.Pushed, old.Pulled
		if tag == "" || slices.Contains(old.Tags, tag) {
			return &types.ImageAlreadyExistsException{Message: aws.String("Image with digest '" + made.Digest + "' and tag '" + tag + "' already exists in the repository " + s.inRegistry(r.Name))}
		}
	}
	if tag != "" {
		for other, i := range s.images.In(tx).List(of(r.Name, "")) {
			if !slices.Contains(i.Tags, tag) {
				continue
			}
			if r.Immutable {
				return &types.ImageTagAlreadyExistsException{Message: aws.String("The image tag '" + tag + "' already exists in the '" + r.Name + "' repository and cannot be overwritten because the tag is immutable.")}
			}
			i.Tags = slices.DeleteFunc(slices.Clone(i.Tags), func(t string) bool { return t == tag })
			s.images.In(tx).Put(other, i)
		}
		made.Tags = append(made.Tags, tag)
		slices.Sort(made.Tags)
	}
	s.images.In(tx).Put(key, *made)
	return nil
}

// complete refuses an image whose parts the repository lacks, and adds up their sizes.
func (s *Service) complete(tx *store.Tx, made *Image) error {
	made.Size = 0
	for _, digest := range made.Layers {
		h, err := v1.NewHash(digest)
		l, ok := s.layers.In(tx).Get(of(made.Repository, digest))
		if err != nil || !ok || !s.Blobs.Has(h) {
			return &types.LayersNotFoundException{Message: aws.String("Layers with digests '[" + digest + "]' required for pushing image into repository with name '" + made.Repository + "' in the registry with id '" + s.Place.AccountID + "' do not exist")}
		}
		made.Size += l.Size
	}
	for _, digest := range made.Images {
		i, ok := s.images.In(tx).Get(of(made.Repository, digest))
		if !ok {
			return &types.ReferencedImagesNotFoundException{Message: aws.String("Images with digests '[" + digest + "]' required for pushing image into repository with name '" + made.Repository + "' in the registry with id '" + s.Place.AccountID + "' do not exist")}
		}
		made.Size += i.Size
	}
	return nil
}

func (s *Service) shown(i *Image, tag, text string) *types.Image {
	id := &types.ImageIdentifier{ImageDigest: aws.String(i.Digest)}
	if tag != "" {
		id.ImageTag = &tag
	}
	return &types.Image{
		ImageId: id, ImageManifest: &text, ImageManifestMediaType: aws.String(i.MediaType), RegistryId: &s.Place.AccountID, RepositoryName: aws.String(i.Repository),
	}
}

// image finds an image by tag, digest, or both.
func image(list func(string) []Image, repository string, id types.ImageIdentifier) (Image, bool) {
	digest, tag := aws.ToString(id.ImageDigest), aws.ToString(id.ImageTag)
	for _, i := range list(of(repository, "")) {
		if (digest == "" || i.Digest == digest) && (tag == "" || slices.Contains(i.Tags, tag)) && digest+tag != "" {
			return i, true
		}
	}
	return Image{}, false
}

func (s *Service) all(prefix string) (all []Image) {
	for _, i := range s.images.List(prefix) {
		all = append(all, i)
	}
	return all
}

func failure(id types.ImageIdentifier, code types.ImageFailureCode, reason string) types.ImageFailure {
	return types.ImageFailure{ImageId: &id, FailureCode: code, FailureReason: &reason}
}

// BatchGetImage gives the manifests of images.
func (s *Service) BatchGetImage(ctx context.Context, in *ecr.BatchGetImageInput) (*ecr.BatchGetImageOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchGetImageOutput{Images: []types.Image{}, Failures: []types.ImageFailure{}}
	for _, id := range in.ImageIds {
		i, ok := image(s.all, r.Name, id)
		if !ok {
			out.Failures = append(out.Failures, failure(id, types.ImageFailureCodeImageNotFound, "Requested image not found"))
			continue
		}
		h, err := v1.NewHash(i.Digest)
		if err != nil {
			return nil, err
		}
		text, err := s.Blobs.Bytes(h)
		if err != nil {
			return nil, err
		}
		out.Images = append(out.Images, *s.shown(&i, aws.ToString(id.ImageTag), string(text)))
		if day := s.Now().UTC().Truncate(24 * time.Hour); i.Pulled.Before(day) {
			err := s.Store.Update(ctx, func(tx *store.Tx) error {
				if now, ok := s.images.In(tx).Get(of(r.Name, i.Digest)); ok {
					now.Pulled = day
					s.images.In(tx).Put(of(r.Name, i.Digest), now)
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// ListImages lists digests with their tags.
func (s *Service) ListImages(_ context.Context, in *ecr.ListImagesInput) (*ecr.ListImagesOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	status := types.TagStatusAny
	if in.Filter != nil && in.Filter.TagStatus != "" {
		status = in.Filter.TagStatus
	}
	all := map[string]types.ImageIdentifier{}
	var keys []string
	for _, i := range s.all(of(r.Name, "")) {
		tags := i.Tags
		if len(tags) == 0 {
			tags = []string{""}
		}
		for _, tag := range tags {
			if status == types.TagStatusTagged && tag == "" || status == types.TagStatusUntagged && tag != "" {
				continue
			}
			id := types.ImageIdentifier{ImageDigest: aws.String(i.Digest)}
			if tag != "" {
				id.ImageTag = &tag
			}
			key := i.Digest + " " + tag
			all[key] = id
			keys = append(keys, key)
		}
	}
	page, next, err := pageOf(keys, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListImagesOutput{ImageIds: []types.ImageIdentifier{}, NextToken: next}
	for _, key := range page {
		out.ImageIds = append(out.ImageIds, all[key])
	}
	return out, nil
}

// DescribeImages shows images without their manifests.
func (s *Service) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput) (*ecr.DescribeImagesOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.DescribeImagesOutput{ImageDetails: []types.ImageDetail{}}
	for _, id := range in.ImageIds {
		i, ok := image(s.all, r.Name, id)
		if !ok {
			return nil, &types.ImageNotFoundException{Message: aws.String("The image with imageId {imageDigest:'" + orNull(id.ImageDigest) + "', imageTag:'" + orNull(id.ImageTag) + "'} does not exist within the repository " + s.inRegistry(r.Name))}
		}
		out.ImageDetails = append(out.ImageDetails, s.detail(&i))
	}
	if len(in.ImageIds) > 0 {
		return out, nil
	}
	all := map[string]Image{}
	var keys []string
	for _, i := range s.all(of(r.Name, "")) {
		if in.Filter != nil && (in.Filter.TagStatus == types.TagStatusTagged && len(i.Tags) == 0 || in.Filter.TagStatus == types.TagStatusUntagged && len(i.Tags) > 0) {
			continue
		}
		all[i.Digest] = i
		keys = append(keys, i.Digest)
	}
	page, next, err := pageOf(keys, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	for _, key := range page {
		i := all[key]
		out.ImageDetails = append(out.ImageDetails, s.detail(&i))
	}
	return out, nil
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func (s *Service) detail(i *Image) types.ImageDetail {
	d := types.ImageDetail{
		RegistryId: &s.Place.AccountID, RepositoryName: aws.String(i.Repository), ImageDigest: aws.String(i.Digest), ImageTags: slices.Clone(i.Tags),
		ImageSizeInBytes: aws.Int64(i.Size), ImagePushedAt: aws.Time(i.Pushed), ImageManifestMediaType: aws.String(i.MediaType), ImageStatus: types.ImageStatusActive,
	}
	if i.Artifact != "" {
		d.ArtifactMediaType = aws.String(i.Artifact)
	}
	if !i.Pulled.IsZero() {
		d.LastRecordedPullTime = aws.Time(i.Pulled)
	}
	return d
}

// BatchDeleteImage deletes images, or tags: an image goes with its last.
func (s *Service) BatchDeleteImage(ctx context.Context, in *ecr.BatchDeleteImageInput) (*ecr.BatchDeleteImageOutput, error) {
	var out *ecr.BatchDeleteImageOutput
	var gone []Image
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		out, gone = &ecr.BatchDeleteImageOutput{ImageIds: []types.ImageIdentifier{}, Failures: []types.ImageFailure{}}, nil
		r, err := s.repository(s.repositories.In(tx).Get, in.RegistryId, in.RepositoryName)
		if err != nil {
			return err
		}
		for _, id := range in.ImageIds {
			i, ok := image(func(prefix string) (all []Image) {
				for _, i := range s.images.In(tx).List(prefix) {
					all = append(all, i)
				}
				return all
			}, r.Name, id)
			if !ok {
				out.Failures = append(out.Failures, failure(id, types.ImageFailureCodeImageNotFound, "Requested image not found"))
				continue
			}
			if left := without(i.Tags, aws.ToString(id.ImageTag)); id.ImageDigest == nil && len(left) > 0 {
				i.Tags = left
				s.images.In(tx).Put(of(r.Name, i.Digest), i)
				out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: aws.String(i.Digest), ImageTag: id.ImageTag})
				continue
			}
			if index, held := s.held(tx, &i); held {
				out.Failures = append(out.Failures, failure(id, types.ImageFailureCodeImageReferencedByManifestList, "Requested image referenced by manifest list: ["+index+"]"))
				continue
			}
			s.images.In(tx).Delete(of(r.Name, i.Digest))
			s.unlink(tx, r.Name, i.Layers)
			gone = append(gone, i)
			for _, tag := range i.Tags {
				out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: aws.String(i.Digest), ImageTag: &tag})
			}
			if len(i.Tags) == 0 {
				out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: aws.String(i.Digest)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.forget(gone)
	return out, nil
}

// held says whether an index of the repository has the image.
func (s *Service) held(tx *store.Tx, i *Image) (index string, held bool) {
	for _, other := range s.images.In(tx).List(of(i.Repository, "")) {
		if slices.Contains(other.Images, i.Digest) {
			return other.Digest, true
		}
	}
	return "", false
}

func without(list []string, one string) (kept []string) {
	for _, x := range list {
		if x != one {
			kept = append(kept, x)
		}
	}
	return kept
}
