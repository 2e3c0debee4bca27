// Package alerts shows the changes of alarms' states, and switches on alarms on what the
// detections look for in audit logs. It reads the daemon's file of changes, so that
// showing needs no daemon.
package alerts

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var f wanted
	var recent global.Recent
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "Show how alarms changed, the newest last; switch on alarms on audit logs",
		Long: "Show how alarms changed their states, the newest last.\n\n" +
			"With -o json each change is an object on a line of its own.",
		Example: "  eksact alerts -f\n  eksact alerts --alarm 'cluster-audit-*' --since 24h -o json\n  eksact alerts enable --url https://hooks.example/alerts",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := recent.Read(); err != nil {
				return err
			}
			f.since = recent.Since
			if _, err := path.Match(f.alarm, ""); err != nil {
				return hint.New(fmt.Sprintf("--alarm %q is no pattern", f.alarm), "* stands for any text")
			}
			r := &reader{dir: filepath.Join(g.StateDir, "alerts"), wanted: f}
			changes, err := r.all()
			if err != nil {
				return err
			}
			if n := recent.Tail; n > 0 && len(changes) > n {
				changes = changes[len(changes)-n:]
			}
			show := table(cmd.OutOrStdout())
			if g.JSON() {
				show = lines(cmd.OutOrStdout())
			}
			if len(changes) == 0 && !recent.Follow {
				return hint.New("no alarm changed, of those asked for", "eksact alerts enable makes alarms on a cluster's audit log", "aws cloudwatch describe-alarms shows those there are")
			}
			if err := show(changes); err != nil || !recent.Follow {
				return err
			}
			return global.Follow(cmd.Context(), r.next, show)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.alarm, "alarm", "", "changes of alarms of this name; * stands for any text")
	recent.AddTo(flags, "changes")
	cmd.AddCommand(enable(g), disable(g), template())
	return cmd
}

// wanted says which changes are asked for.
type wanted struct {
	alarm string
	since time.Time
}

func (w *wanted) takes(c *cloudwatch.StateChange) bool {
	matches, _ := path.Match(w.alarm, c.Alarm)
	return (w.alarm == "" || matches) && !c.At.Before(w.since)
}

// reader reads the files of changes.
type reader struct {
	dir string
	wanted
	file   os.FileInfo // that was read last
	offset int64
}

// names are the files, the older first.
var names = []string{"alerts.1.jsonl", "alerts.jsonl"}

func (r *reader) all() ([]cloudwatch.StateChange, error) {
	var out []cloudwatch.StateChange
	for _, name := range names {
		some, err := r.read(name, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// read reads a file's whole lines from an offset on, and remembers how far it came.
func (r *reader) read(name string, offset int64) (out []cloudwatch.StateChange, err error) {
	f, err := os.Open(filepath.Join(r.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, global.Unreadable(filepath.Join(r.dir, name), err)
	}
	defer f.Close()
	if r.file, err = f.Stat(); err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	r.offset = offset
	for b := bufio.NewReader(f); ; {
		line, err := b.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				return out, nil // what is being written is read next time
			}
			return nil, err
		}
		r.offset += int64(len(line))
		var c cloudwatch.StateChange
		if json.Unmarshal(line, &c) == nil && r.takes(&c) {
			out = append(out, c)
		}
	}
}

// next are the changes since the last look. When the file was changed for a new one, the
// end of the old one comes first.
func (r *reader) next() ([]cloudwatch.StateChange, error) {
	info, err := os.Stat(filepath.Join(r.dir, names[1]))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case r.file == nil:
		return r.read(names[1], 0)
	case os.SameFile(info, r.file):
		return r.read(names[1], r.offset)
	}
	end, err := r.read(names[0], r.offset)
	if err != nil {
		return nil, err
	}
	more, err := r.read(names[1], 0)
	return append(end, more...), err
}

// lines writes changes as JSON, one a line.
func lines(w io.Writer) func([]cloudwatch.StateChange) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return func(changes []cloudwatch.StateChange) error {
		for i := range changes {
			if err := e.Encode(&changes[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// table writes changes in columns that stay where they are, for more may follow.
func table(w io.Writer) func([]cloudwatch.StateChange) error {
	const form = "%-19s  %-17s  %-40s  %s\n"
	head := false
	return func(changes []cloudwatch.StateChange) error {
		for i := range changes {
			if !head {
				head = true
				if _, err := fmt.Fprintf(w, form, "TIME", "STATE", "ALARM", "REASON"); err != nil {
					return err
				}
			}
			c := &changes[i]
			reason := global.Printable(strings.TrimPrefix(c.Reason, "Threshold Crossed: "))
			if _, err := fmt.Fprintf(w, form, c.At.Local().Format(time.DateTime), c.To, global.Printable(c.Alarm), reason); err != nil {
				return err
			}
		}
		return nil
	}
}
