//go:build release && amd64

package programs

import _ "embed"

//go:embed payload/amd64.tar.zst
var archive string

//go:embed payload/amd64.sha256
var digest string

// carried tells whether this executable carries the other programs.
func carried() bool { return true }

// payload is the archive made by the command pack. A string, so that its pages
// stay in the executable's file and are never copied to the heap.
func payload() bundle { return bundle{archive, digest} }
