package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/hint"
)

func newQuery(g *global.Options) *cobra.Command {
	var q question
	var saved definition
	var since string
	var csv bool
	cmd := &cobra.Command{
		Use:   "query [QUERY]",
		Short: "Ask log groups, or files, in Logs Insights' language",
		Long: "Ask log groups, or files, in Logs Insights' language.\n\n" +
			"Files, zipped or not, are read without a daemon, a line an event; - is standard input. An\n" +
			"event's time is what its line tells: stageTimestamp, @timestamp, timestamp, time or ts of\n" +
			"an object, the beginning of a line as Kubernetes writes it, or RFC 3339; a line that tells\n" +
			"none has the time of the line before, the first ones the time of the query.",
		Example: `  eksact logs query --group /aws/eks/cluster/cluster --since 1h 'fields @message | filter user.username = "user1"'` + "\n" +
			`  eksact logs query --file audit.log 'filter stage = "ResponseComplete" | stats count(*) as n by user.username, verb | sort n desc'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := checkForm(cmd.Flags(), q.limit, csv, g.JSON()); err != nil {
				return err
			}
			switch {
			case (len(args) == 0) == (saved.name == ""):
				return hint.New("it takes a query, or one that is saved", `say one: 'fields @message | limit 20'`, "or --definition NAME, as aws logs put-query-definition named it")
			case saved.name == "" && len(saved.parameters) > 0:
				return hint.New("only saved queries have parameters", "leave --parameter out, or say --definition")
			case saved.name != "":
				if err := saved.load(cmd.Context(), g, &q); err != nil {
					return err
				}
			default:
				q.text = args[0]
			}
			now := time.Now()
			if since == "" && len(q.files) == 0 {
				since = "1h"
			}
			if q.since, err = global.Since(since, now); err != nil {
				return err
			}
			q.until = now
			parsed, err := insights.Parse(q.text)
			if err != nil {
				return wrong(q.text, err)
			}
			if len(q.files) == 0 && len(q.groups) == 0 && parsed.Selections()[0].IsDefault() {
				return hint.New("the query has no log group", "name one: --group /aws/eks/cluster/cluster", "or ask files: --file audit.log")
			}
			if q.clickhouse != "" && len(q.files) > 0 {
				return hint.New("files can't be asked in ClickHouse", "load them first: eksact logs load --clickhouse ADDRESS --group ACCOUNT:GROUP --file FILE", "or leave --clickhouse out")
			}
			if len(q.files) > 0 && len(q.groups) > 0 {
				return hint.New("files and groups can't be asked together", "leave --file or --group out")
			}
			var a *answer
			switch {
			case q.clickhouse != "":
				a, err = q.ofClickHouse(cmd.Context(), parsed)
			case len(q.files) > 0:
				a, err = q.ofFiles(cmd.Context(), parsed, cmd.InOrStdin())
			default:
				a, err = q.ofGroups(cmd.Context(), g)
			}
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch {
			case g.JSON():
				err = a.json(out)
			case csv:
				err = a.csv(out)
			default:
				err = a.table(out)
				a.summary(cmd.ErrOrStderr())
			}
			if a.problem != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", a.problem)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&q.groups, "group", nil, "ask this log group; may be repeated")
	flags.StringVar(&saved.name, "definition", "", "ask the query that is saved under this name, of its groups unless others are given")
	flags.StringArrayVar(&saved.parameters, "parameter", nil, "a parameter of the saved query, NAME=VALUE; may be repeated")
	flags.StringArrayVar(&q.files, "file", nil, "ask this file instead; may be repeated")
	flags.StringVar(&q.clickhouse, "clickhouse", "", "ask groups that are in ClickHouse at this address (clickhouse://USER:PASSWORD@HOST:9000/DATABASE?table=TABLE), each named ACCOUNT:GROUP")
	flags.StringVar(&since, "since", "", "events since then: a duration such as 90m, or a time; 1h of groups, everything of files if left out")
	flags.IntVar(&q.limit, "limit", 0, "so many rows, if the query does not say; 10,000 if left out")
	flags.BoolVar(&csv, "csv", false, "print CSV")
	return cmd
}

// mostRows is the greatest limit of a query, as AWS has it.
const mostRows = 100_000

// checkForm refuses flags that say nothing, or two things.
func checkForm(flags *pflag.FlagSet, limit int, csv, json bool) error {
	switch {
	case csv && json:
		return hint.New("--csv and -o json are two forms of output", "leave one of them out")
	case flags.Changed("limit") && (limit < 1 || limit > mostRows):
		return hint.New(fmt.Sprintf("--limit %d is no number of rows", limit), "say one from 1 to 100000, or leave it out for 10,000")
	}
	return nil
}

// question is a query and what it is asked of.
type question struct {
	text          string
	groups, files []string
	clickhouse    string // its address
	since, until  time.Time
	limit         int
}

// answer is what a query found.
type answer struct {
	columns []string
	rows    []map[string]string
	scanned float64 // events
	bytes   float64 // of their messages
	took    time.Duration
	problem string // what could not be read
}

// wrong shows where a query is wrong.
func wrong(text string, err error) error {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err
	}
	runes := []rune(text)
	from := min(e.Start, len(runes))
	line := string(runes[:from])
	line = line[strings.LastIndexByte(line, '\n')+1:]
	rest, _, _ := strings.Cut(string(runes[from:]), "\n")
	return hint.New("the query is wrong: "+e.Message, line+rest, strings.Repeat(" ", len([]rune(line)))+"^")
}

// ofGroups asks CloudWatch Logs.
func (q *question) ofGroups(ctx context.Context, g *global.Options) (*answer, error) {
	logs, err := connect(ctx, g)
	if err != nil {
		return nil, err
	}
	return q.ask(ctx, logs, func(id string) (why string) {
		_ = control.Dial(g.RunDir).Call(ctx, "/logs/problem", id, &why) // the daemon's log says it, too
		return why
	})
}

// ask asks a query and waits for its rows; why tells what went wrong with it, if it is known.
func (q *question) ask(ctx context.Context, logs api, why func(id string) string) (*answer, error) {
	began := time.Now()
	in := &cloudwatchlogs.StartQueryInput{QueryString: &q.text, LogGroupNames: q.groups, StartTime: aws.Int64(max(0, q.since.Unix())), EndTime: aws.Int64(q.until.Unix())}
	if q.limit > 0 {
		in.Limit = aws.Int32(int32(q.limit))
	}
	started, err := logs.StartQuery(ctx, in)
	if err != nil {
		return nil, explained(err, strings.Join(q.groups, ", "))
	}
	a := &answer{}
	results := &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId}
	for wait := 10 * time.Millisecond; ; {
		out, err := logs.GetQueryResults(ctx, results)
		if err != nil {
			return nil, stopped(ctx, logs, started.QueryId, err)
		}
		switch out.Status {
		case types.QueryStatusComplete:
			if results.MaxItems != nil {
				results.MaxItems = nil
				continue
			}
		case types.QueryStatusRunning, types.QueryStatusScheduled:
			select {
			case <-ctx.Done():
				return nil, stopped(ctx, logs, started.QueryId, ctx.Err())
			case <-time.After(wait):
			}
			wait = min(2*wait, 500*time.Millisecond)
			results.MaxItems = aws.Int32(1) // the rows so far are nothing here
			continue
		default:
			if reason := why(aws.ToString(started.QueryId)); reason != "" {
				return nil, fmt.Errorf("the query ended with the status %s: %s", out.Status, reason)
			}
			return nil, hint.New("the query ended with the status "+string(out.Status), "the daemon's log says why")
		}
		for _, r := range out.Results {
			row := map[string]string{}
			at := 0 // where the next column is, if it is new: rows lack those that are null
			for _, f := range r {
				name := aws.ToString(f.Field)
				row[name] = aws.ToString(f.Value)
				if i := slices.Index(a.columns, name); i >= 0 {
					at = i + 1
					continue
				}
				a.columns = slices.Insert(a.columns, at, name)
				at++
			}
			a.rows = append(a.rows, row)
		}
		if results.NextToken = out.NextToken; results.NextToken == nil {
			a.scanned, a.bytes, a.took = out.Statistics.RecordsScanned, out.Statistics.BytesScanned, time.Since(began)
			a.problem = why(aws.ToString(started.QueryId))
			return a.tidied(q.text), nil
		}
	}
}

// stopped ends a query that nobody waits for any more.
func stopped(ctx context.Context, logs api, id *string, err error) error {
	if ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_, _ = logs.StopQuery(late, &cloudwatchlogs.StopQueryInput{QueryId: id}) // it ends by itself, later
	}
	return err
}

// ofFiles asks files.
func (q *question) ofFiles(ctx context.Context, parsed *insights.Query, stdin io.Reader) (*answer, error) {
	began := time.Now()
	src, err := readFiles(q.files, stdin, began)
	if err != nil {
		return nil, err
	}
	progress := &insights.Progress{}
	result, err := parsed.Run(ctx, src.environment(q, progress))
	if err != nil {
		return nil, err
	}
	return answerOf(q.text, result, progress, began), nil
}

// answerOf is the answer of a query that was run here.
func answerOf(text string, result *insights.Result, progress *insights.Progress, began time.Time) *answer {
	a := &answer{columns: result.Columns, scanned: float64(progress.Records.Load()), bytes: float64(progress.Bytes.Load()), took: time.Since(began)}
	for i := range result.Rows {
		row := map[string]string{}
		for _, f := range result.Fields(i) {
			row[f.Name] = f.Value
		}
		a.rows = append(a.rows, row)
	}
	return a.tidied(text)
}

// unreadable is an error about a file.
func unreadable(path string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return hint.New("there is no file "+path, "--file names a file of lines, - is standard input")
	}
	return fmt.Errorf("reading %s: %w", path, err)
}
