package images

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/eksact/eksact/internal/hint"
)

// Normalize gives the full name of an image as containerd writes it: "nginx"
// becomes "docker.io/library/nginx:latest". A name by digest keeps its digest
// and loses a tag given beside it.
func Normalize(ref string) (string, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return "", hint.Wrap(fmt.Errorf("%q is not an image name: %w", ref, err), "names look like nginx, nginx:1.27 or registry.example.com/team/app:v1")
	}
	separator := ":"
	if _, byDigest := parsed.(name.Digest); byDigest {
		separator = "@"
	}
	return Host(parsed.Context().RegistryStr()) + "/" + parsed.Context().RepositoryStr() + separator + parsed.Identifier(), nil
}

// Host is the registry's name as it stands in image names: Docker Hub answers
// to three names and is written docker.io.
func Host(registry string) string {
	if registry == "index.docker.io" || registry == "registry-1.docker.io" {
		return "docker.io"
	}
	return registry
}

// Repository is the full name without tag or digest.
func Repository(full string) string {
	full, _, _ = strings.Cut(full, "@")
	if colon := strings.LastIndex(full, ":"); colon > strings.LastIndex(full, "/") {
		full = full[:colon]
	}
	return full
}

// tagOf parses a name that ends in a tag, as docker archives hold them.
func tagOf(given string) (*name.Tag, error) {
	tag, err := name.NewTag(given)
	if err != nil {
		return nil, fmt.Errorf("%q is not an image name: %w", given, err)
	}
	return &tag, nil
}
