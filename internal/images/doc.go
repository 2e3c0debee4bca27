// Package images keeps container images on disk, for nodes to pull without a
// network.
//
// A Store is a directory in the OCI image layout (opencontainers/image-spec,
// image-layout.md): blobs named by their SHA-256 under blobs/, and index.json
// with one descriptor for each name. Every descriptor carries its full name
// ("docker.io/library/nginx:latest") in the annotation io.containerd.image.name,
// which containerd itself reads, and how it came here: loaded by the user, or
// pulled on a node's behalf, which decides what is asked anew of its registry.
//
// Several processes use one Store at a time: the daemon serves from it while
// `eksact image load` writes into it. Blobs never change once they have their
// name, index.json is replaced in one step, and a lock file orders the writers.
//
// Beside it: package registry serves a Store to containerd, package build makes
// images without Docker.
package images
