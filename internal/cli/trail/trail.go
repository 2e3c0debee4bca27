// Package trail shows the calls that were made to the AWS API: who did what, when,
// and whether it was refused. It reads the trail's files, so it needs no daemon.
package trail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

// New makes the command.
func New(g *global.Options) *cobra.Command {
	var f filter
	var recent global.Recent
	cmd := &cobra.Command{
		Use:   "trail",
		Short: "Show the calls made to the AWS API, the newest last",
		Long: "Show the calls made to the AWS API, the newest last.\n\n" +
			"With -o json they are whole CloudTrail events, one a line.",
		Example: "  eksact trail --errors --since 1h\n  eksact trail --service eks --user admin -f\n  eksact trail --event 'Create*' -o json | jq .requestParameters",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := recent.Read(); err != nil {
				return err
			}
			f.since = recent.Since
			show := table(cmd.OutOrStdout())
			if g.JSON() {
				show = raw(cmd.OutOrStdout())
			}
			t := &reader{dir: filepath.Join(g.StateDir, "trail"), filter: f}
			events, err := t.last(recent.Tail)
			if err != nil || len(events) == 0 && !recent.Follow {
				return errors.Join(err, none(err, g.StateDir))
			}
			if err := show(events); err != nil || !recent.Follow {
				return err
			}
			return global.Follow(cmd.Context(), t.next, show)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "calls of this user, role session or role")
	flags.StringVar(&f.event, "event", "", "calls of this operation; * stands for any text")
	flags.StringVar(&f.service, "service", "", "calls to this service: iam or iam.amazonaws.com, eks, …")
	flags.BoolVar(&f.errors, "errors", false, "calls that failed or were refused")
	flags.StringVar(&f.id, "id", "", "the call with this event id, request id or authorization id")
	recent.AddTo(flags, "calls")
	return cmd
}

// none says that nothing was found, unless an error did.
func none(err error, stateDir string) error {
	if err != nil {
		return nil
	}
	return hint.New("no such call was recorded in "+stateDir, "leave a filter out, or make the time longer with --since")
}

// reader goes through a trail's files.
type reader struct {
	dir    string
	filter filter
	seen   cloudtrail.Position // of the newest line that was looked at
}

// last returns so many of the newest events that pass the filter, the newest last.
func (t *reader) last(n int) ([]cloudtrail.Record, error) {
	return t.read(func(found int, _ cloudtrail.Position) bool { return n > 0 && found == n })
}

// next returns the events since last or next was called.
func (t *reader) next() ([]cloudtrail.Record, error) {
	seen := t.seen
	return t.read(func(_ int, at cloudtrail.Position) bool {
		return at.Segment < seen.Segment || at.Segment == seen.Segment && at.Offset <= seen.Offset
	})
}

func (t *reader) read(enough func(found int, at cloudtrail.Position) bool) ([]cloudtrail.Record, error) {
	var found []cloudtrail.Record
	first := true
	for line, err := range cloudtrail.Newest(t.dir, cloudtrail.Position{}) {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, hint.New("nothing was recorded in "+t.dir, "eksact up starts what records", "--state-dir says where else to look")
			}
			return nil, err
		}
		if enough(len(found), line.Before) {
			break
		}
		if first {
			t.seen, first = line.Before, false
		}
		var r cloudtrail.Record
		if err := json.Unmarshal(line.Text, &r); err != nil {
			return nil, fmt.Errorf("%s at byte %d: %w", line.Before.Segment, line.Before.Offset, err)
		}
		if r.EventTime.Before(t.filter.since.Add(-time.Minute)) {
			break // later ones may have been recorded a little earlier
		}
		if t.filter.passes(&r) {
			r.Raw = slices.Clone(line.Text)
			found = append(found, r)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// filter says which events are shown; what is empty lets all through.
type filter struct {
	user, event, service, id string
	errors                   bool
	since                    time.Time
}

func (f *filter) passes(r *cloudtrail.Record) bool {
	match, _ := filepath.Match(strings.ToLower(f.event), strings.ToLower(r.EventName))
	switch {
	case r.EventTime.Before(f.since.Truncate(time.Second)):
	case f.event != "" && !match:
	case f.service != "" && r.EventSource != cloudtrail.Source(strings.ToLower(f.service)) && !strings.EqualFold(r.EventSource, f.service):
	case f.errors && r.ErrorCode == "":
	case f.user != "" && !f.isBy(r):
	case f.id != "" && f.id != r.EventID && f.id != r.RequestID && f.id != r.AuthorizationID():
	default:
		return true
	}
	return false
}

// isBy says whether the user made the call, named as a user, a role session or the
// session's role, or by ARN.
func (f *filter) isBy(r *cloudtrail.Record) bool {
	arn, _ := r.UserIdentity["arn"].(string)
	return f.user == r.Username() || f.user == arn || f.user == r.Role()
}
