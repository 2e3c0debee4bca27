// Package hosts keeps a marked block of names in the machine's hosts file, when
// its owner asked for that. Nothing outside the block is ever changed.
package hosts

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// File is where the machine's names are.
const File = "/etc/hosts"

const (
	begin = "# eksact begin: names of clusters and load balancers here; eksact down removes this block"
	end   = "# eksact end"
)

// Entry is a name and its address.
type Entry struct {
	Name    string
	Address netip.Addr
}

// Set makes the block of the file hold exactly these entries.
func Set(path string, entries []Entry) error {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int {
		return strings.Compare(a.Name+" "+a.Address.String(), b.Name+" "+b.Address.String())
	})
	var block strings.Builder
	if len(entries) > 0 {
		block.WriteString(begin + "\n")
		for _, e := range slices.Compact(entries) {
			block.WriteString(e.Address.String() + " " + e.Name + "\n")
		}
		block.WriteString(end + "\n")
	}
	return edit(path, block.String())
}

// Remove takes the block out of the file.
func Remove(path string) error { return edit(path, "") }

// Without returns what the file holds beside the block; nothing when there is none.
func Without(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return replace(string(text), ""), nil
}

func edit(path, block string) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && block == "" {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text := replace(string(old), block)
	if text == string(old) {
		return nil
	}
	// Never by a new file in its place: where it is a mount point, as in a container, it
	// can't be replaced, and what others have mounted over it in namespaces of their own
	// (shells, nodes) would be unmounted.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Truncate(int64(len(text))), f.Close())
}

// replace puts block where the old one was, or at the end.
func replace(text, block string) string {
	i := strings.Index(text, begin+"\n")
	if i < 0 {
		if block != "" && text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + block
	}
	rest := text[i:]
	j := strings.Index(rest, end+"\n")
	if j < 0 { // the end mark was lost: only our first line is surely ours
		return text[:i] + block + rest[len(begin)+1:]
	}
	return text[:i] + block + rest[j+len(end)+1:]
}
