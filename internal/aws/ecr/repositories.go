package ecr

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// CreateRepository makes a repository.
func (s *Service) CreateRepository(ctx context.Context, in *ecr.CreateRepositoryInput) (*ecr.CreateRepositoryOutput, error) {
	name := aws.ToString(in.RepositoryName)
	if !repositoryName.MatchString(name) || len(name) < 2 || len(name) > 256 {
		return nil, invalid("Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '%s''", repositoryName.String()[1:len(repositoryName.String())-1])
	}
	if err := errors.Join(s.registry(in.RegistryId), notScanned(in.ImageScanningConfiguration)); err != nil {
		return nil, err
	}
	if in.EncryptionConfiguration != nil {
		return nil, invalid("Invalid parameter at 'encryptionConfiguration': encryption is not supported here")
	}
	immutable, err := mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	r := Repository{Name: name, Created: s.Now().UTC(), Immutable: immutable}
	if r.Tags, err = with(nil, in.Tags); err != nil {
		return nil, err
	}
	r.Tags = api.WithSystemTags(ctx, r.Tags)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.repositories.In(tx).Get(name); ok {
			return &types.RepositoryAlreadyExistsException{Message: aws.String("The repository with name '" + name + "' already exists in the registry with id '" + s.Place.AccountID + "'")}
		}
		s.repositories.In(tx).Put(name, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.CreateRepositoryOutput{Repository: s.view(&r)}, nil
}

// notScanned refuses scanning, which is not there.
func notScanned(c *types.ImageScanningConfiguration) error {
	if c != nil && c.ScanOnPush {
		return invalid("Invalid parameter at 'imageScanningConfiguration': scanning images is not supported here")
	}
	return nil
}

// mutability says whether tags are to be immutable.
func mutability(m types.ImageTagMutability, filters []types.ImageTagMutabilityExclusionFilter) (bool, error) {
	switch {
	case len(filters) > 0, m == types.ImageTagMutabilityImmutableWithExclusion, m == types.ImageTagMutabilityMutableWithExclusion:
		return false, invalid("Invalid parameter at 'imageTagMutability': exclusions are not supported here")
	}
	return m == types.ImageTagMutabilityImmutable, nil
}

func (s *Service) view(r *Repository) *types.Repository {
	m := types.ImageTagMutabilityMutable
	if r.Immutable {
		m = types.ImageTagMutabilityImmutable
	}
	return &types.Repository{
		RepositoryName: aws.String(r.Name), RepositoryArn: aws.String(s.arn(r.Name)), RepositoryUri: aws.String(s.Host() + "/" + r.Name),
		RegistryId: aws.String(s.Place.AccountID), CreatedAt: aws.Time(r.Created), ImageTagMutability: m,
		ImageScanningConfiguration: &types.ImageScanningConfiguration{},
	}
}

// DescribeRepositories shows all, or those that are named.
func (s *Service) DescribeRepositories(_ context.Context, in *ecr.DescribeRepositoriesInput) (*ecr.DescribeRepositoriesOutput, error) {
	if err := s.registry(in.RegistryId); err != nil {
		return nil, err
	}
	out := &ecr.DescribeRepositoriesOutput{Repositories: []types.Repository{}}
	if len(in.RepositoryNames) > 0 {
		for _, name := range in.RepositoryNames {
			r, err := s.repository(s.repositories.Get, nil, &name)
			if err != nil {
				return nil, err
			}
			out.Repositories = append(out.Repositories, *s.view(&r))
		}
		return out, nil
	}
	var names []string
	for name := range s.repositories.Shared("") {
		names = append(names, name)
	}
	page, next, err := pageOf(names, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	for _, name := range page {
		if r, ok := s.repositories.Get(name); ok {
			out.Repositories = append(out.Repositories, *s.view(&r))
		}
	}
	return out, nil
}

// DeleteRepository deletes a repository; one with images if it is forced.
func (s *Service) DeleteRepository(ctx context.Context, in *ecr.DeleteRepositoryInput) (*ecr.DeleteRepositoryOutput, error) {
	var r Repository
	var gone []Image
	err := s.Store.Update(ctx, func(tx *store.Tx) (err error) {
		if r, err = s.repository(s.repositories.In(tx).Get, in.RegistryId, in.RepositoryName); err != nil {
			return err
		}
		gone = nil
		for key, i := range s.images.In(tx).List(of(r.Name, "")) {
			gone = append(gone, i)
			s.images.In(tx).Delete(key)
		}
		if len(gone) > 0 && !in.Force {
			return &types.RepositoryNotEmptyException{Message: aws.String("The repository with name '" + r.Name + "' in registry with id '" + s.Place.AccountID + "' cannot be deleted because it still contains images")}
		}
		for key := range s.layers.In(tx).List(of(r.Name, "")) {
			s.layers.In(tx).Delete(key)
		}
		s.repositories.In(tx).Delete(r.Name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.forget(gone)
	return &ecr.DeleteRepositoryOutput{Repository: s.view(&r)}, nil
}

// PutImageTagMutability says whether tags can move.
func (s *Service) PutImageTagMutability(ctx context.Context, in *ecr.PutImageTagMutabilityInput) (*ecr.PutImageTagMutabilityOutput, error) {
	immutable, err := mutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error { r.Immutable = immutable; return nil })
	if err != nil {
		return nil, err
	}
	return &ecr.PutImageTagMutabilityOutput{RegistryId: &s.Place.AccountID, RepositoryName: &r.Name, ImageTagMutability: in.ImageTagMutability}, nil
}

// pageOf sorts keys and cuts a page; the token is the last key shown.
func pageOf(keys []string, size *int32, token *string) (page []string, next *string, err error) {
	most := 100
	if size != nil {
		if most = int(*size); most < 1 || most > 1000 {
			return nil, nil, invalid("Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must be between 1 and 1000'")
		}
	}
	slices.Sort(keys)
	if after := aws.ToString(token); after != "" {
		from, found := slices.BinarySearch(keys, after)
		if !found {
			return nil, nil, invalid("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
		}
		keys = keys[from+1:]
	}
	if len(keys) <= most {
		return keys, nil, nil
	}
	return keys[:most], &keys[most-1], nil
}
