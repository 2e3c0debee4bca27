// Package ecr is Amazon Elastic Container Registry: repositories, their images and
// policies, and the registry that Docker's clients push to and nodes pull from.
//
//	docker push ── token of GetAuthorizationToken ─► Registry ─► InitiateLayerUpload, …, PutImage
//	a node's containerd ─► Mirror, as the node's role ─────────► BatchGetImage, GetDownloadUrlForLayer
//
// The registry is a translator: what a client does by the OCI distribution protocol is
// calls of ECR's own, as on AWS, made at the front door with the caller's rights. So
// policies decide each of them, and the trail has them.
//
// Bytes are blobs in the store that nodes get their images from, each once, however many
// repositories have it; which repository may give it out is a record.
//
// # What differs from ECR
//
//   - Scanning, replication, pull-through caches, signing, archives, encryption with keys,
//     registry policies and exclusions from immutability are refused by name. Bytes are not
//     encrypted on disk, so no encryption is shown.
//   - A download URL leads to the registry and is good for an hour.
//   - Lifecycle policies are applied once an hour. They have no preview.
package ecr
