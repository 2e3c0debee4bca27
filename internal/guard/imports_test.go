package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/eksact/eksact"

// pkg is what `go list` says of a package of ours.
type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	Doc          string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string // all that it links, directly or not
}

// path below the module's: internal/aws/iam.
func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// ours lists the module's packages, once for all tests. Packages that do not
// compile are listed too: the rules hold for what they say.
var ours = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Name,Doc,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports,Deps",
		"./cmd/...", "./internal/...")
	cmd.Dir = root()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New("go list: " + said.String())
	}
	var list []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
})

// root is the repository's directory: tests run in their package's.
func root() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

func packages(t *testing.T) []pkg {
	t.Helper()
	list, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Fatalf("go list found %d packages: this test looks in the wrong place", len(list))
	}
	return list
}

// room is the part of the house a package is in: the first two parts of its path.
func room(p string) string {
	parts := strings.SplitN(p, "/", 3)
	if len(parts) < 2 {
		return p
	}
	return parts[0] + "/" + parts[1]
}

// everyone are the rooms that all may use: they know nothing of AWS,
// Kubernetes or networks, and each other only as may says.
var everyone = []string{"internal/engine", "internal/hint", "internal/netns", "internal/supervise", "internal/programs", "internal/cgroup", "internal/drain", "internal/tail", "internal/version"}

// may says which rooms a room may import, beside everyone's. Imports point
// down, and the halves (aws, kube, vpc) don't know each other: what one needs of
// another it states as an interface, and the daemon joins them.
var may = map[string][]string{
	"internal/engine":    {"-"}, // pure: nobody, not even everyone's
	"internal/hint":      {"-"},
	"internal/netns":     {"-"},
	"internal/version":   {"-"},
	"internal/cgroup":    {"-", "internal/hint"},
	"internal/drain":     {"-"},
	"internal/tail":      {"-"},
	"internal/hosts":     {"-", "internal/hint"},
	"internal/programs":  {"-", "internal/hint"},
	"internal/supervise": {"-", "internal/hint", "internal/netns"},
	"internal/images":    {"-", "internal/hint"},
	"internal/store":     {},
	"internal/logstore":  {},
	"internal/node":      {"internal/vpc/nft", "internal/vpc/ipv6", "internal/vpc/lb/proxy"}, // what runs beside containers; small programs
	"internal/aws":       {"internal/store", "internal/logstore"},
	"internal/vpc":       {"internal/store"},
	"internal/kube":      {"internal/store", "internal/node"},
	"internal/verify":    {},                 // runs against a real cluster too, so through public APIs alone
	"internal/console":   {"internal/store"}, // what it shows it gets by interfaces
	"internal/daemon":    {"internal/store", "internal/logstore", "internal/aws", "internal/kube", "internal/vpc", "internal/node", "internal/images", "internal/hosts", "internal/console"},
	"internal/cli":       {"internal/daemon", "internal/store", "internal/logstore", "internal/aws", "internal/kube", "internal/vpc", "internal/node", "internal/images", "internal/hosts", "internal/verify", "internal/console"},
	"internal/guard":     {"-"},
	"cmd/eksact":         {"internal/cli"},
	"cmd/eksact-node":    {"internal/node"},
	"cmd/pause":          {"-", "internal/node/pause"},
	"cmd/eksact-kube":    {"-"},
	"cmd/kubectl":        {"-"},
	"cmd/coredns":        {"-"},
	"cmd/metrics-server": {"-"},
}

// allowed tells whether a package of one room may import another package of ours.
func allowed(from, to string) bool {
	if room(from) == room(to) {
		return true
	}
	rules := may[room(from)]
	if slices.ContainsFunc(rules, func(r string) bool { return to == r || strings.HasPrefix(to, r+"/") }) {
		return true
	}
	return !slices.Contains(rules, "-") && slices.Contains(everyone, room(to))
}

// forTests are packages that only tests, and each other, import.
var forTests = []string{"internal/kube/controlplane/planetest", "internal/aws/doortest", "internal/aws/fleettest"}

func TestImportsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		if _, known := may[room(p.path())]; !known {
			t.Errorf("%s: room %s is not in the plan of the house; add it to may, and to docs/ARCHITECTURE.md", p.path(), room(p.path()))
			continue
		}
		for _, i := range p.Imports {
			to, isOurs := strings.CutPrefix(i, module+"/")
			if isOurs && !allowed(p.path(), to) {
				t.Errorf("%s must not import %s", p.path(), to)
			}
			if isOurs && slices.Contains(forTests, to) && !slices.Contains(forTests, p.path()) {
				t.Errorf("%s imports %s, which is for tests", p.path(), to)
			}
		}
	}
}

// TestRules tries the rules themselves on imports that must be refused or pass.
func TestRules(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		want     bool
	}{
		{"internal/aws/eks", "internal/kube/controlplane", false},
		{"internal/kube/authn", "internal/aws/iam", false},
		{"internal/vpc", "internal/aws/ec2", false},
		{"internal/aws/eks", "internal/daemon", false},
		{"internal/daemon", "internal/cli/up", false},
		{"internal/store", "internal/aws/iam", false},
		{"internal/engine/policy", "internal/hint", false},
		{"internal/engine/policy", "internal/store", false},
		{"cmd/eksact-kube", "internal/hint", false},
		{"internal/node/cni", "internal/vpc", false},
		{"internal/engine/filter", "internal/engine/columns", true},
		{"internal/aws/eks", "internal/aws/api", true},
		{"internal/aws/iam", "internal/engine/policy", true},
		{"internal/daemon", "internal/kube/controlplane", true},
		{"internal/node/cni", "internal/vpc/nft", true},
		{"cmd/eksact-kube", "cmd/eksact-kube/listen", true},
	} {
		if got := allowed(tc.from, tc.to); got != tc.want {
			t.Errorf("%s importing %s: allowed %v, want %v", tc.from, tc.to, got, tc.want)
		}
	}
}

// heavy are upstream's servers. They take minutes to compile, half a minute to
// link and a tenth of a second to start: only eksact-kube links them.
var heavy = []string{
	"k8s.io/kubernetes", "k8s.io/apiserver", "k8s.io/kube-aggregator", "k8s.io/apiextensions-apiserver", "k8s.io/kubectl",
	"go.etcd.io/etcd/server/v3",
	"github.com/coredns/coredns",
	"github.com/containerd/containerd/v2/cmd/containerd", "github.com/containerd/containerd/v2/internal/cri",
	"github.com/containerd/containerd/v2/core/metadata", "github.com/containerd/containerd/v2/plugins/cri",
}

// linksHeavy are the programs whose purpose it is.
var linksHeavy = []string{"cmd/eksact-kube", "cmd/kubectl", "cmd/coredns", "cmd/metrics-server"}

func isHeavy(i string) bool {
	return slices.ContainsFunc(heavy, func(h string) bool { return i == h || strings.HasPrefix(i, h+"/") })
}

func TestServersStayOut(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(linksHeavy, p.path()) {
			continue
		}
		for _, list := range [][]string{p.Deps, p.TestImports, p.XTestImports} {
			for _, i := range list {
				if isHeavy(i) {
					t.Errorf("%s links %s, or its tests do: only %s may", p.path(), i, strings.Join(linksHeavy, ", "))
				}
			}
		}
	}
	// The rule must see what it is meant to see.
	for _, p := range packages(t) {
		if p.path() == "cmd/eksact-kube" && !slices.ContainsFunc(p.Deps, isHeavy) {
			t.Error("cmd/eksact-kube links none of the servers: the list of them is out of date")
		}
	}
}

// TestShimStaysAlone: a shim initialises every containerd plugin that its
// process has registered, and dies of containerd's own.
func TestShimStaysAlone(t *testing.T) {
	const shim = "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
	for _, p := range packages(t) {
		links := slices.ContainsFunc(p.Deps, func(d string) bool { return strings.HasPrefix(d, shim+"/") })
		if links && p.path() != "internal/node/shim" && p.path() != "cmd/eksact-node" {
			t.Errorf("%s links containerd's shim: only internal/node/shim and cmd/eksact-node may", p.path())
		}
		if p.path() != "cmd/eksact-node" {
			continue
		}
		for _, d := range p.Deps {
			if strings.HasPrefix(d, "github.com/containerd/containerd/v2/plugins/") {
				t.Errorf("cmd/eksact-node links the plugin %s: its shim would start it", path.Base(d))
			}
		}
	}
}
