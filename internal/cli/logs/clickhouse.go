package logs

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/logstore/clickhouse"
)

// ofClickHouse asks groups that are in ClickHouse. The query is planned here; what can be
// said in SQL is done there.
func (q *question) ofClickHouse(ctx context.Context, parsed *insights.Query) (*answer, error) {
	store, err := clickhouse.Open(q.clickhouse)
	if err != nil {
		return nil, err
	}
	began, progress := time.Now(), &insights.Progress{}
	result, err := parsed.Run(ctx, insights.Env{
		Open: func(_ context.Context, s insights.Selection) (scan.Source, error) {
			names := q.groups
			if !s.IsDefault() {
				names = s.Groups
			}
			if s.All || len(s.Prefixes) > 0 {
				return nil, hint.New("groups in ClickHouse can't be chosen by prefix, class or account", "name each: SOURCE '111122223333:/aws/eks/cluster/cluster'")
			}
			var list []scan.Source
			for _, name := range names {
				if err := checkLog(name); err != nil {
					return nil, err
				}
				list = append(list, store.Source(name))
			}
			return scan.All(list...), nil
		},
		Zone: time.LoadLocation, Start: max(0, q.since.UnixMilli()), End: q.until.UnixMilli(), Now: q.until.UnixMilli(),
		Limit: q.limit, Workers: runtime.GOMAXPROCS(0), Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	return answerOf(q.text, result, progress, began), nil
}

// checkLog refuses what @log would not say.
func checkLog(name string) error {
	account, group, ok := strings.Cut(name, ":")
	if !ok || group == "" || len(account) != 12 || strings.Trim(account, "0123456789") != "" {
		return hint.New(fmt.Sprintf("%q is no group in ClickHouse", name), "write the account before it: 111122223333:/aws/eks/cluster/cluster")
	}
	return nil
}

func newLoad() *cobra.Command {
	var address, group string
	var paths []string
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Bring files of log events to ClickHouse",
		Long: "Bring files of log events to ClickHouse, a line an event, for eksact logs query --clickhouse.\n" +
			"The table is made if it isn't there. An event's time is what its line tells, as for files\n" +
			"that are asked. Loading a file again adds its events again.",
		Example: "  eksact logs load --clickhouse clickhouse://127.0.0.1:9000/logs --group 111122223333:/aws/eks/cluster/cluster --file audit.log",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLog(group); err != nil {
				return err
			}
			store, err := clickhouse.Open(address)
			if err != nil {
				return err
			}
			rows, err := rowsOf(group, paths, cmd.InOrStdin(), time.Now())
			if err != nil {
				return err
			}
			if err := store.Init(cmd.Context()); err != nil {
				return err
			}
			if err := store.Append(cmd.Context(), rows); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d events\n", len(rows))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&address, "clickhouse", "", "where: clickhouse://USER:PASSWORD@HOST:9000/DATABASE?table=TABLE&cluster=CLUSTER&secure=true")
	flags.StringVar(&group, "group", "", "the group that the events become, as ACCOUNT:GROUP")
	flags.StringArrayVar(&paths, "file", nil, "a file, or - for standard input; may be repeated")
	for _, name := range []string{"clickhouse", "group", "file"} {
		_ = cmd.MarkFlagRequired(name) // they are there
	}
	return cmd
}

// rowsOf are files' events as a table has them. Pointers go by when they were loaded, and
// their order.
func rowsOf(group string, paths []string, stdin io.Reader, now time.Time) (rows []lower.Row, err error) {
	err = eachEvent(paths, stdin, now, func(e *columns.Event) error {
		place := binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))
		place = binary.BigEndian.AppendUint32(place, uint32(len(rows)))
		rows = append(rows, lower.Row{Log: group, Stream: e.Stream, Time: e.Time, Ingested: e.Ingested, Message: string(e.Message), Ptr: base64.StdEncoding.EncodeToString(place)})
		return nil
	})
	return rows, err
}
