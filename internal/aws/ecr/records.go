package ecr

import (
	"time"
)

// Repository is a repository, under its name.
type Repository struct {
	Name      string
	Created   time.Time
	Immutable bool   // its tags
	Policy    string // as it is kept: unique ids for users and roles; "" without
	Lifecycle string // JSON; "" without
	Tags      map[string]string
	Evaluated time.Time // when the lifecycle policy last was
}

// Image is an image, or an index of images, under REPOSITORY@DIGEST.
type Image struct {
	Repository string
	Digest     string // sha256:…
	MediaType  string
	Tags       []string
	Size       int64 // bytes of its layers; of an index, those of its images
	Pushed     time.Time
	Pulled     time.Time // to the day; zero if never
	Layers     []string  // digests of what it is made of, the configuration included
	Images     []string  // digests of an index's
	Artifact   string    // media type of its configuration
}

// Layer says that a repository has a blob, under REPOSITORY@DIGEST.
type Layer struct {
	Size      int64
	MediaType string
}

// Key is what tokens are sealed with.
type Key struct{ Secret []byte }

// of is a record's key. No repository's name has an @.
func of(repository, digest string) string { return repository + "@" + digest }
