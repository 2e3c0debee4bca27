// Package build makes container images without Docker: from single programs,
// and from Debian packages and local files.
//
// An image here is one layer. The layer is made as a list of files in memory
// and on disk, never as a tree: no root is needed, nothing is mounted and no
// chroot entered, and a package's scripts don't run. What those scripts would
// have done and a container needs is done by Tidy, in debian.go: the merged
// /usr, a shell, users, certificates. A program that needs more of them names
// it in its spec, as links and files.
//
// The same packages and files give the same bytes: entries are sorted, owners
// and modes come from the packages, times from the packages or are zero, and
// the layer is compressed once, by one encoder at one setting.
package build
