// Package registry serves a Store of images to the nodes' containerd as a
// registry mirror, in the OCI distribution protocol (opencontainers/
// distribution-spec), for pulling.
//
// containerd asks a mirror for the repository's path and adds the registry it
// stands for: GET /v2/library/nginx/manifests/latest?ns=docker.io. What the
// Store has is served from it. What it lacks is fetched from the registry
// named, if the network is allowed, checked against its digest, kept, and
// served while it comes in. No other registry is ever asked unless a node asks
// for an image that is not here, or whose tag was last confirmed long ago.
//
// An image the user loaded is served as it is and never looked up elsewhere.
// Registries of an AWS account (*.dkr.ecr.*.amazonaws.com) exist only here:
// their names are never looked up in the real one.
//
// The requests come from nodes, so they are trusted to name what to fetch but
// not where from: addresses of this machine itself (loopback, link-local) are
// not dialled on their behalf.
package registry
