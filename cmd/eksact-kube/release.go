package main

// Which Kubernetes release the components say they are is set in package
// release, whose init must run before theirs.
import _ "github.com/eksact/eksact/cmd/eksact-kube/release"
