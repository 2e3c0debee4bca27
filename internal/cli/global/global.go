// Package global holds the flags that every verb has.
package global

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/eksact/eksact/internal/hint"
)

// Options are the flags of the root command.
type Options struct {
	StateDir string
	RunDir   string
	Output   string // "" for people, "json" for programs
	given    *pflag.FlagSet
}

// AddTo registers the flags.
func (o *Options) AddTo(flags *pflag.FlagSet) {
	o.given = flags
	flags.StringVar(&o.StateDir, "state-dir", "/var/lib/eksact", "folder of everything that is kept")
	flags.StringVar(&o.RunDir, "run-dir", "/run/eksact", "folder of sockets and locks")
	flags.StringVarP(&o.Output, "output", "o", "", `"json" for programs; people need none`)
}

// StateDirGiven reports whether the user named the state directory.
func (o *Options) StateDirGiven() bool { return o.given != nil && o.given.Changed("state-dir") }

// JSON reports whether output is for programs.
func (o *Options) JSON() bool { return o.Output == "json" }

// Forms is the annotation of a command that has output forms beside json: their names,
// with blanks between.
const Forms = "output forms"

// Check refuses an output form that is not there, and makes the folders' paths
// absolute: the daemon's own folder is another. More are the command's own forms.
func (o *Options) Check(more ...string) error {
	if o.Output != "" && o.Output != "json" && !slices.Contains(more, o.Output) {
		return hint.New(fmt.Sprintf("output form %q is not known", o.Output), "leave -o out, or say -o "+strings.Join(append([]string{"json"}, more...), " or -o "))
	}
	for _, dir := range []*string{&o.StateDir, &o.RunDir} {
		absolute, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = absolute
	}
	return nil
}

// Print writes v as indented JSON.
func Print(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Exit is an error without words: what is to be said has been said, and the
// program is to end with this status.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
