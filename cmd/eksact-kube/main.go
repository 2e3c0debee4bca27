// Command eksact-kube is upstream's Kubernetes in one file: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy
// and containerd, chosen by the name it is called by (a symlink) or by its
// first argument.
//
// They share one file because they share most of their code: seven programs
// would be 600 MB. It is a program of its own because linking it takes half a
// minute and starting it a tenth of a second; nothing of ours is imported here
// but the three small packages below, so work on the rest of the project never relinks it.
//
// What differs from upstream is small and each in a file of its own:
//
//   - apiserver.go: the API server serves on a socket its parent holds open.
//   - containerd.go: only the plugins a Kubernetes node uses.
//   - gc: a garbage collector tuned for a quick start, then for little memory.
//   - release: which Kubernetes release the components say they are.
//
// Containerd's shim is not in here: a shim initialises every plugin linked into
// its process and dies of containerd's own.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/eksact/eksact/cmd/eksact-kube/gc"

	// Which Kubernetes release the components say they are is settled in this
	// package's init, which runs before theirs.
	_ "github.com/eksact/eksact/cmd/eksact-kube/release"
)

// components maps the name a component is called by to what runs it. Each
// builds its command only when chosen: building one registers flags, feature
// gates and signal handlers, which upstream allows once per process.
var components = map[string]func() int{
	"etcd":                    runEtcd,
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kube-scheduler":          runScheduler,
	"kubelet":                 runKubelet,
	"kube-proxy":              runProxy,
	"containerd":              runContainerd,
}

func main() {
	run, args, ok := choose(os.Args)
	if !ok {
		fmt.Fprintf(os.Stderr, "eksact-kube: %q is not a component; usage: eksact-kube %s [flags]\n",
			strings.Join(os.Args, " "), strings.Join(names(), "|"))
		os.Exit(3)
	}
	os.Args = args
	if err := gc.Tune(os.Getenv(gc.Variable)); err != nil {
		fmt.Fprintln(os.Stderr, "eksact-kube:", err)
		os.Exit(3)
	}
	os.Exit(run())
}

// choose finds the component that argv asks for, by the base name of argv[0] or
// by argv[1], and returns the arguments as that component expects them.
func choose(argv []string) (run func() int, args []string, ok bool) {
	if len(argv) == 0 {
		return nil, nil, false
	}
	if run, ok = components[filepath.Base(argv[0])]; ok {
		return run, argv, true
	}
	if len(argv) < 2 {
		return nil, nil, false
	}
	run, ok = components[argv[1]]
	return run, argv[1:], ok
}

func names() []string {
	var out []string
	for n := range components {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}
