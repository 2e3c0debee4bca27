package ecr

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ownpolicy"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Blobs is where bytes are kept (package images).
type Blobs interface {
	Has(v1.Hash) bool
	Open(v1.Hash) (*os.File, error)
	Bytes(v1.Hash) ([]byte, error)
	Put(v1.Hash, io.Reader) error
	// Tag names a manifest, so that what it leads to stays; Remove forgets the name and
	// what nothing else leads to.
	Tag(name string, digest v1.Hash, mediaType string, checked time.Time) error
	Remove(name string) error
}

// Deps is what a Service is made of.
type Deps struct {
	Store *store.Store
	Place api.Place
	IAM   ownpolicy.IAM
	Blobs Blobs
	Dir   string // of uploads that are not complete; made if it isn't there
	Now   func() time.Time
	Log   *slog.Logger
}

// Service answers ECR's API.
type Service struct {
	Deps
	repositories *store.Table[Repository] // by name
	images       *store.Table[Image]
	layers       *store.Table[Layer]
	keys         *store.Table[Key]
	policies     ownpolicy.Shelf
	door         api.Door

	mu      sync.Mutex
	uploads map[string]*upload // by id
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards. UseDoor must follow.
func New(d Deps) (*Service, error) {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(d.Dir, "upload-*"))
	if err != nil {
		return nil, err
	}
	for _, path := range left { // of an earlier run: their clients begin anew
		_ = os.Remove(path)
	}
	s := &Service{
		Deps:         d,
		repositories: store.NewTable[Repository](d.Store, "ecr/repository"),
		images:       store.NewTable[Image](d.Store, "ecr/image"),
		layers:       store.NewTable[Layer](d.Store, "ecr/layer"),
		keys:         store.NewTable[Key](d.Store, "ecr/key"),
		policies:     ownpolicy.Shelf{Kind: policy.Attached},
		uploads:      map[string]*upload{},
	}
	s.repositories.Watch(func(name string, _, now *Repository) {
		stored := ""
		if now != nil {
			stored = now.Policy
		}
		s.policies.Set(s.arn(name), stored)
	})
	return s, nil
}

// UseDoor says where the registry's calls are made.
func (s *Service) UseDoor(d api.Door) { s.door = d }

// Host is the registry's name in images'.
func (s *Service) Host() string {
	return s.Place.AccountID + ".dkr.ecr." + s.Place.Region + ".amazonaws.com"
}

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "ecr", Action: "ecr", Resource: s.ofResource, Policy: s.policies.Program}
	api.Add(svc, "GetAuthorizationToken", s.GetAuthorizationToken, nil)
	s.addRepositories(svc)
	s.addImages(svc)
	return svc
}

func (s *Service) addRepositories(svc *api.Service) {
	api.Add(svc, "CreateRepository", s.CreateRepository, func(_ context.Context, in *ecr.CreateRepositoryInput) []string { return s.named(in.RepositoryName) })
	api.WithNeeds(svc, "CreateRepository", func(_ context.Context, in *ecr.CreateRepositoryInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "ecr:TagResource", Resources: s.named(in.RepositoryName)}}
	})
	api.Add(svc, "DescribeRepositories", s.DescribeRepositories, func(_ context.Context, in *ecr.DescribeRepositoriesInput) []string {
		if len(in.RepositoryNames) == 0 {
			return []string{s.arn("*")}
		}
		var all []string
		for _, name := range in.RepositoryNames {
			all = append(all, s.arn(name))
		}
		return all
	})
	api.Add(svc, "DeleteRepository", s.DeleteRepository, func(_ context.Context, in *ecr.DeleteRepositoryInput) []string { return s.named(in.RepositoryName) })
	api.Add(svc, "PutImageTagMutability", s.PutImageTagMutability, func(_ context.Context, in *ecr.PutImageTagMutabilityInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "SetRepositoryPolicy", s.SetRepositoryPolicy, func(_ context.Context, in *ecr.SetRepositoryPolicyInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "GetRepositoryPolicy", s.GetRepositoryPolicy, func(_ context.Context, in *ecr.GetRepositoryPolicyInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "DeleteRepositoryPolicy", s.DeleteRepositoryPolicy, func(_ context.Context, in *ecr.DeleteRepositoryPolicyInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "PutLifecyclePolicy", s.PutLifecyclePolicy, func(_ context.Context, in *ecr.PutLifecyclePolicyInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "GetLifecyclePolicy", s.GetLifecyclePolicy, func(_ context.Context, in *ecr.GetLifecyclePolicyInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "DeleteLifecyclePolicy", s.DeleteLifecyclePolicy, func(_ context.Context, in *ecr.DeleteLifecyclePolicyInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "TagResource", s.TagResource, func(_ context.Context, in *ecr.TagResourceInput) []string { return itself(in.ResourceArn) })
	api.Add(svc, "UntagResource", s.UntagResource, func(_ context.Context, in *ecr.UntagResourceInput) []string { return itself(in.ResourceArn) })
	api.Add(svc, "ListTagsForResource", s.ListTagsForResource, func(_ context.Context, in *ecr.ListTagsForResourceInput) []string { return itself(in.ResourceArn) })
}

func (s *Service) addImages(svc *api.Service) {
	api.Add(svc, "ListImages", s.ListImages, func(_ context.Context, in *ecr.ListImagesInput) []string { return s.named(in.RepositoryName) })
	api.Add(svc, "DescribeImages", s.DescribeImages, func(_ context.Context, in *ecr.DescribeImagesInput) []string { return s.named(in.RepositoryName) })
	api.Add(svc, "BatchGetImage", s.BatchGetImage, func(_ context.Context, in *ecr.BatchGetImageInput) []string { return s.named(in.RepositoryName) })
	api.Add(svc, "BatchDeleteImage", s.BatchDeleteImage, func(_ context.Context, in *ecr.BatchDeleteImageInput) []string { return s.named(in.RepositoryName) })
	api.Add(svc, "PutImage", s.PutImage, func(_ context.Context, in *ecr.PutImageInput) []string { return s.named(in.RepositoryName) })
	api.Add(svc, "BatchCheckLayerAvailability", s.BatchCheckLayerAvailability, func(_ context.Context, in *ecr.BatchCheckLayerAvailabilityInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "GetDownloadUrlForLayer", s.GetDownloadUrlForLayer, func(_ context.Context, in *ecr.GetDownloadUrlForLayerInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "InitiateLayerUpload", s.InitiateLayerUpload, func(_ context.Context, in *ecr.InitiateLayerUploadInput) []string {
		return s.named(in.RepositoryName)
	})
	api.Add(svc, "UploadLayerPart", s.UploadLayerPart, func(_ context.Context, in *ecr.UploadLayerPartInput) []string { return s.named(in.RepositoryName) })
	api.Add(svc, "CompleteLayerUpload", s.CompleteLayerUpload, func(_ context.Context, in *ecr.CompleteLayerUploadInput) []string {
		return s.named(in.RepositoryName)
	})
}

func (s *Service) arn(name string) string {
	return "arn:" + s.Place.Partition + ":ecr:" + s.Place.Region + ":" + s.Place.AccountID + ":repository/" + name
}

func (s *Service) named(name *string) []string {
	if aws.ToString(name) == "" {
		return nil
	}
	return []string{s.arn(*name)}
}

func itself(arn *string) []string {
	if aws.ToString(arn) == "" {
		return nil
	}
	return []string{*arn}
}

// ofResource answers for the condition keys of a repository: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	const tag = "aws:resourcetag/"
	if len(key) <= len(tag) || key[:len(tag)] != tag || len(arn) <= len(s.arn("")) {
		return policy.Values{}
	}
	r, _ := s.repositories.Get(arn[len(s.arn("")):])
	return api.TagValue(r.Tags, key[len(tag):])
}

var repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

func invalid(format string, args ...any) error {
	return &types.InvalidParameterException{Message: aws.String(fmt.Sprintf(format, args...))}
}

// inRegistry says where something is, as ECR's texts end.
func (s *Service) inRegistry(name string) string {
	return "with name '" + name + "' in the registry with id '" + s.Place.AccountID + "'"
}

// registry refuses another account's.
func (s *Service) registry(id *string) error {
	if id != nil && *id != s.Place.AccountID {
		return &types.RepositoryNotFoundException{Message: aws.String("The registry with id '" + *id + "' is of another account")}
	}
	return nil
}

// repository finds the one that a call names.
func (s *Service) repository(get func(string) (Repository, bool), registry, name *string) (Repository, error) {
	if err := s.registry(registry); err != nil {
		return Repository{}, err
	}
	r, ok := get(aws.ToString(name))
	if !ok {
		return r, &types.RepositoryNotFoundException{Message: aws.String("The repository with name '" + aws.ToString(name) + "' does not exist in the registry with id '" + s.Place.AccountID + "'")}
	}
	return r, nil
}

// change changes a repository that is there.
func (s *Service) change(ctx context.Context, registry, name *string, fn func(*Repository) error) (r Repository, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if r, err = s.repository(s.repositories.In(tx).Get, registry, name); err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		s.repositories.In(tx).Put(r.Name, r)
		return nil
	})
	return r, err
}
