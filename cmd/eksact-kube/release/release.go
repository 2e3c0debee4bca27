// Package release sets, before any component's own initialisation, which
// Kubernetes release this process says it is.
//
// A cluster of an earlier minor version runs on the same code with upstream's
// --emulated-version, which changes the served APIs and the feature gates but
// not the version reported. An EKS cluster of version 1.36 answers v1.36.x to
// `kubectl version`, though, and its nodes show that, so the number itself is
// replaced.
//
// Upstream computes defaults from the version while packages are initialised.
// Go initialises packages in the order of their import paths, as soon as what
// they import is ready (language specification, "Program initialization"): this
// path sorts before k8s.io and imports little, so it comes first. A test holds
// that fast.
package release

import (
	"fmt"
	"os"
	"regexp"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// Variable names the environment variable that holds the release to report, for
// instance "v1.36.4" or "v1.36.4-eks-1a2b3c4"; empty means the one built in.
// Anything below the built-in version also needs --emulated-version with the
// same minor, or the API server exits.
const Variable = "EKSACT_KUBERNETES_VERSION"

//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

//go:linkname gitMajor k8s.io/component-base/version.gitMajor
var gitMajor string

//go:linkname gitMinor k8s.io/component-base/version.gitMinor
var gitMinor string

func init() {
	wanted := os.Getenv(Variable)
	if wanted == "" {
		return
	}
	if err := set(wanted); err != nil {
		fmt.Fprintf(os.Stderr, "eksact-kube: %s: %v\n", Variable, err)
		os.Exit(3)
	}
}

var form = regexp.MustCompile(`^v(1)\.([0-9]{1,3})\.[0-9]{1,3}(-[0-9A-Za-z.-]+)?$`)

// set replaces the reported version by v.
func set(v string) error {
	m := form.FindStringSubmatch(v)
	if m == nil {
		return fmt.Errorf("%q is not of the form v1.36.4 or v1.36.4-suffix", v)
	}
	gitVersion, gitMajor, gitMinor = v, m[1], m[2]
	return version.SetDynamicVersion(v)
}
