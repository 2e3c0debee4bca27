package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/hint"
)

const (
	// poll is how often --follow asks for new events.
	poll = 300 * time.Millisecond
	// late is how far back it looks for those that came after younger ones.
	late = 10 * time.Second
)

func newTail(g *global.Options) *cobra.Command {
	var t tail
	var since, pattern, prefix string
	cmd := &cobra.Command{
		Use:   "tail GROUP",
		Short: "Print a log group's events, the newest last",
		Long: "Print a log group's events, the newest last.\n\n" +
			"A pattern is a filter pattern of CloudWatch Logs: terms, { $.field = value }, [a, b=4*, ...].\n" +
			"With -o json each event is an object, one a line.",
		Example: "  eksact logs tail /aws/eks/cluster/cluster --follow --stream kube-apiserver-audit-\n" +
			`  eksact logs tail /aws/eks/cluster/cluster --since 1h --filter '{ $.responseStatus.code = 403 }'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if t.since, err = global.Since(since, time.Now()); err != nil {
				return err
			}
			if _, err := filter.Parse(pattern); err != nil {
				return hint.Wrap(fmt.Errorf("--filter: %w", err), `a term with signs in it is quoted: '"a-b"'`)
			}
			if t.logs, err = connect(cmd.Context(), g); err != nil {
				return err
			}
			t.in = cloudwatchlogs.FilterLogEventsInput{LogGroupName: &args[0], FilterPattern: &pattern}
			if prefix != "" {
				t.in.LogStreamNamePrefix = &prefix
			}
			t.show = lines(cmd.OutOrStdout())
			if g.JSON() {
				t.show = objects(cmd.OutOrStdout())
			}
			return t.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&since, "since", "10m", "events since then: a duration such as 90m, or a time such as 2026-11-26T12:00:00Z")
	flags.StringVar(&pattern, "filter", "", "only events that match this filter pattern")
	flags.StringVar(&prefix, "stream", "", "only streams whose names begin so")
	flags.BoolVarP(&t.follow, "follow", "f", false, "go on with new events until interrupted")
	return cmd
}

// tail prints events.
type tail struct {
	logs   api
	in     cloudwatchlogs.FilterLogEventsInput
	since  time.Time
	follow bool
	show   func(types.FilteredLogEvent) error
}

func (t *tail) run(ctx context.Context) error {
	seen := map[string]int64{} // times of what was printed, by id
	from := max(0, t.since.UnixMilli())
	for {
		newest, err := t.print(ctx, from, seen)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return explained(err, aws.ToString(t.in.LogGroupName))
		case !t.follow:
			return nil
		}
		from = max(from, newest-late.Milliseconds())
		for id, at := range seen {
			if at < from {
				delete(seen, id)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(poll):
		}
	}
}

// print prints the events since a time that were not seen yet.
func (t *tail) print(ctx context.Context, from int64, seen map[string]int64) (newest int64, err error) {
	in := t.in
	in.StartTime = &from
	for {
		out, err := t.logs.FilterLogEvents(ctx, &in)
		if err != nil {
			return newest, err
		}
		for _, e := range out.Events {
			newest = max(newest, *e.Timestamp)
			if _, twice := seen[*e.EventId]; twice {
				continue
			}
			seen[*e.EventId] = *e.Timestamp
			if err := t.show(e); err != nil {
				return newest, err
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return newest, nil
		}
	}
}

// explained says what to do about a group that is not there.
func explained(err error, group string) error {
	var none *types.ResourceNotFoundException
	switch {
	case !errors.As(err, &none):
	case strings.Contains(none.ErrorMessage(), "lookup table"):
		return hint.New(none.ErrorMessage(), "aws logs describe-lookup-tables lists those that are there")
	default:
		return hint.New("there is no log group "+group, "aws logs describe-log-groups lists them")
	}
	return err
}

func instant(ms *int64) string {
	return time.UnixMilli(aws.ToInt64(ms)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// lines prints events for people: time, stream, message.
func lines(w io.Writer) func(types.FilteredLogEvent) error {
	return func(e types.FilteredLogEvent) error {
		_, err := fmt.Fprintf(w, "%s %s %s\n", instant(e.Timestamp), aws.ToString(e.LogStreamName), global.Printable(aws.ToString(e.Message)))
		return err
	}
}

// objects prints events for programs.
func objects(w io.Writer) func(types.FilteredLogEvent) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(e types.FilteredLogEvent) error {
		return enc.Encode(map[string]string{
			"timestamp": instant(e.Timestamp), "ingestionTime": instant(e.IngestionTime), "logStream": aws.ToString(e.LogStreamName),
			"eventId": aws.ToString(e.EventId), "message": aws.ToString(e.Message),
		})
	}
}
