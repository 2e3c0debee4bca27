// Package version says what this program is. Both values are set by the linker.
package version

// Version is eksact's own, a tag or a commit; Kubernetes is that of the
// components it carries.
var (
	Version    = "development"
	Kubernetes = "v1.37.2"
)
