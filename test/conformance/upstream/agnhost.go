// Package upstream is the module of what is built from Kubernetes' own tests: its
// NetworkPolicy tests (./e2e), and agnhost, the program in their pods, which is a
// tool of this module.
package upstream

// The versions are those of the module above: Kubernetes is compiled once.
import _ "github.com/eksact/eksact/internal/version"
