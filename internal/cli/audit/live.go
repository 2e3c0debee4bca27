package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/hint"
)

// queries is what is asked of CloudWatch Logs.
type queries interface {
	StartQuery(context.Context, *cloudwatchlogs.StartQueryInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StartQueryOutput, error)
	GetQueryResults(context.Context, *cloudwatchlogs.GetQueryResultsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetQueryResultsOutput, error)
}

// group is a log group, asked by the AWS API.
type group struct {
	logs queries
	name string
	wait time.Duration // between looks at a query that runs
}

func live(config aws.Config, name string) *group {
	return &group{cloudwatchlogs.NewFromConfig(config), name, 50 * time.Millisecond}
}

// ask implements asker.
func (g *group) ask(ctx context.Context, query string, from, to time.Time) ([]map[string]string, error) {
	started, err := g.logs.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
		LogGroupName: &g.name, QueryString: &query, StartTime: aws.Int64(from.Unix()), EndTime: aws.Int64(to.Unix()),
	})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil, hint.Wrap(fmt.Errorf("there is no log group %s", g.name), "--cluster names another cluster", "control plane logs are switched on by aws eks update-cluster-config --logging")
	}
	if err != nil {
		return nil, err
	}
	in := &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId}
	for wait := g.wait; ; wait = min(2*wait, time.Second) {
		out, err := g.logs.GetQueryResults(ctx, in)
		if err != nil {
			return nil, err
		}
		switch out.Status {
		case types.QueryStatusComplete:
			return g.rows(ctx, in, out)
		case types.QueryStatusScheduled, types.QueryStatusRunning:
		default:
			return nil, fmt.Errorf("the query ended as %s", out.Status)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// rows are those of all pages.
func (g *group) rows(ctx context.Context, in *cloudwatchlogs.GetQueryResultsInput, out *cloudwatchlogs.GetQueryResultsOutput) (rows []map[string]string, err error) {
	for {
		for _, fields := range out.Results {
			row := map[string]string{}
			for _, f := range fields {
				row[aws.ToString(f.Field)] = aws.ToString(f.Value)
			}
			rows = append(rows, row)
		}
		if out.NextToken == nil {
			return rows, nil
		}
		in.NextToken = out.NextToken
		if out, err = g.logs.GetQueryResults(ctx, in); err != nil {
			return nil, err
		}
	}
}
