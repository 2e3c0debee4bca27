// Package programs knows where the other programs of the project are.
//
// The command a user installs, eksact, starts more than itself: upstream's
// Kubernetes (eksact-kube), the small programs beside containers (eksact-node),
// kubectl, and two system images. In a development build they lie beside it, in
// bin/. A release build (build tag "release") carries them inside as one
// compressed archive, the payload, and unpacks them once into
//
//	STATE/programs/HASH/            HASH names the payload's content
//	    eksact-kube, etcd → eksact-kube, …
//	    images/pause.tar, …
//	    MANIFEST                    SHA-256 and size of every file
//
// Unpacking is all or nothing: files are written beside their final place,
// checked against the manifest, flushed to disk, and renamed there in one step.
// Two processes that start at once unpack once: a lock makes the second wait.
package programs
