// Package logs shows log events: tail prints a group's, as they come; query asks
// groups, or files without a daemon, in Logs Insights' language; load brings files to
// ClickHouse, where query can ask them, too.
package logs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/spf13/cobra"

	cliaccount "github.com/eksact/eksact/internal/cli/account"
	"github.com/eksact/eksact/internal/cli/global"
)

// New makes the command and its verbs.
func New(g *global.Options) *cobra.Command {
	cmd := &cobra.Command{Use: "logs", Short: "Show log events, and ask about them"}
	cmd.AddCommand(newTail(g), newQuery(g), newLoad())
	return cmd
}

// api is what the commands ask CloudWatch Logs.
type api interface {
	definitions
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
	StartQuery(context.Context, *cloudwatchlogs.StartQueryInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StartQueryOutput, error)
	StopQuery(context.Context, *cloudwatchlogs.StopQueryInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StopQueryOutput, error)
	GetQueryResults(context.Context, *cloudwatchlogs.GetQueryResultsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetQueryResultsOutput, error)
}

func connect(ctx context.Context, g *global.Options) (api, error) {
	config, _, err := cliaccount.Admin(ctx, g)
	if err != nil {
		return nil, err
	}
	return cloudwatchlogs.NewFromConfig(config), nil
}
