package programs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/hint"
)

// Links are the names under which one program serves as several: each is a
// link beside the program, and the program looks at argv[0].
//
// The links are symbolic but for the shim's. The shim starts itself anew by the
// path that the kernel gives for its executable, /proc/self/exe: where a
// symbolic link was called that is what the link points to, so that its second
// self would be called eksact-node. A hard link keeps its own name.
var Links = map[string][]string{
	"eksact-kube": {"containerd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet"},
	"eksact-node": {"containerd-shim-runc-v2", "eksact-cni", "eksact-credential"},
}

// shim is the one name that is a hard link.
const shim = "containerd-shim-runc-v2"

// Required are the programs without which nothing starts.
var Required = []string{"eksact-kube", "eksact-node", "kubectl"}

// Variable names the environment variable that overrides where the programs
// are, for tests, whose own executable lies elsewhere.
const Variable = "EKSACT_PROGRAMS"

// Set is a directory of programs. The zero Set is of no use: see Locate.
type Set struct {
	dir string
}

// Dir is the absolute path of the directory that holds the programs; put it
// first in the PATH of containerd, which looks its shim up there.
func (s Set) Dir() string { return s.dir }

// Path is the absolute path of the program called name, for instance "kubelet".
// It does not check that there is such a program: Locate has.
func (s Set) Path(name string) string { return filepath.Join(s.dir, name) }

// Images lists the archives of the system images, as absolute paths, sorted.
// They are OCI archives that containerd imports.
func (s Set) Images() []string {
	archives, _ := filepath.Glob(filepath.Join(s.dir, "images", "*.tar"))
	slices.Sort(archives)
	return archives
}

// Locate finds the programs: those that Variable names, else those this
// executable carries, unpacked under stateDir, else those beside it. An error
// says which are missing.
func Locate(stateDir string) (Set, error) {
	if dir := os.Getenv(Variable); dir != "" {
		return beside(dir)
	}
	if carried() {
		return unpack(stateDir, payload())
	}
	exe, err := os.Executable()
	if err != nil {
		return Set{}, fmt.Errorf("finding this program's own file: %w", err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return Set{}, fmt.Errorf("finding this program's own file: %w", err)
	}
	return beside(filepath.Dir(exe))
}

// beside is the Set in dir, if all required programs are there.
func beside(dir string) (Set, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Set{}, err
	}
	var missing []string
	for _, name := range Required {
		for _, n := range append([]string{name}, Links[name]...) {
			if !executable(filepath.Join(dir, n)) {
				missing = append(missing, n)
			}
		}
	}
	if len(missing) > 0 {
		err := fmt.Errorf("programs missing in %s: %s", dir, strings.Join(missing, ", "))
		return Set{}, hint.Wrap(err, "make build", "or set "+Variable+" to the directory that holds them")
	}
	return Set{dir}, nil
}

// executable tells whether path, followed through links, is a file one may run.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// Prune removes what earlier releases unpacked under stateDir, but for what a
// running process was started from: nodes outlive the daemon, and their
// containerd starts its shims from the release it came with. It returns the
// directories removed.
func Prune(stateDir string, keep Set) (removed []string, err error) {
	root := filepath.Join(stateDir, "programs")
	entries, err := os.ReadDir(root)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	busy := runningUnder(root)
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if !e.IsDir() || dir == keep.dir || busy[e.Name()] {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return removed, err
		}
		removed = append(removed, dir)
	}
	return removed, nil
}

// runningUnder names the directories below root that hold the executable of a
// live process.
func runningUnder(root string) map[string]bool {
	busy := map[string]bool{}
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		exe, err := os.Readlink(link)
		if err != nil {
			continue // it ended meanwhile, or is a kernel thread
		}
		if rel, err := filepath.Rel(root, exe); err == nil && filepath.IsLocal(rel) {
			busy[strings.Split(rel, string(filepath.Separator))[0]] = true
		}
	}
	return busy
}

// linkAll makes the Links of the programs in dir, replacing what is there.
func linkAll(dir string) error {
	for program, names := range Links {
		for _, name := range names {
			link := filepath.Join(dir, name)
			if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
				return err
			}
			var err error
			if name == shim {
				err = os.Link(filepath.Join(dir, program), link)
			} else {
				err = os.Symlink(program, link)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// linked tells whether dir has the link called name to program.
func linked(dir, program, name string) bool {
	link := filepath.Join(dir, name)
	if name != shim {
		to, err := os.Readlink(link)
		return err == nil && to == program
	}
	a, errA := os.Lstat(link)
	b, errB := os.Stat(filepath.Join(dir, program))
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// isDir tells whether path is a directory.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == fs.ModeDir
}
