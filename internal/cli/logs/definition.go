package logs

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

// definition is a query that was saved under a name, and what its parameters are to be.
type definition struct {
	name       string
	parameters []string // NAME=VALUE
}

// definitions is what is asked of CloudWatch Logs for it.
type definitions interface {
	DescribeQueryDefinitions(context.Context, *cloudwatchlogs.DescribeQueryDefinitionsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeQueryDefinitionsOutput, error)
}

// load gives a question the saved query, and its groups if it has none.
func (d *definition) load(ctx context.Context, g *global.Options, q *question) error {
	logs, err := connect(ctx, g)
	if err != nil {
		return err
	}
	found, err := d.find(ctx, logs)
	if err != nil {
		return err
	}
	if len(q.groups) == 0 && len(q.files) == 0 {
		q.groups = found.LogGroupNames
	}
	q.text, err = d.filled(found)
	return err
}

func (d *definition) find(ctx context.Context, logs definitions) (*types.QueryDefinition, error) {
	for in := (&cloudwatchlogs.DescribeQueryDefinitionsInput{QueryDefinitionNamePrefix: &d.name}); ; {
		out, err := logs.DescribeQueryDefinitions(ctx, in)
		if err != nil {
			return nil, err
		}
		for i, found := range out.QueryDefinitions {
			if aws.ToString(found.Name) == d.name {
				return &out.QueryDefinitions[i], nil
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return nil, hint.New(fmt.Sprintf("no query is saved as %q", d.name), "aws logs describe-query-definitions shows those that are", "aws logs put-query-definition saves one")
		}
	}
}

// place is where a parameter stands in a saved query.
var place = regexp.MustCompile(`\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}`)

// filled is the saved query with its parameters' values, or their defaults.
func (d *definition) filled(found *types.QueryDefinition) (string, error) {
	values, known := map[string]string{}, map[string]bool{}
	for _, p := range found.Parameters {
		known[aws.ToString(p.Name)] = true
		if p.DefaultValue != nil {
			values[*p.Name] = *p.DefaultValue
		}
	}
	for _, text := range d.parameters {
		name, value, ok := strings.Cut(text, "=")
		if !ok || !known[name] {
			return "", hint.New(fmt.Sprintf("--parameter %q is none of the query's", text), "say NAME=VALUE; it has: "+strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		values[name] = value
	}
	var missing []string
	text := place.ReplaceAllStringFunc(aws.ToString(found.QueryString), func(at string) string {
		name := place.FindStringSubmatch(at)[1]
		value, ok := values[name]
		switch {
		case !known[name]:
			return at // no parameter of the query's
		case !ok:
			missing = append(missing, name)
		}
		return value
	})
	if len(missing) > 0 {
		return "", hint.New("the saved query lacks values for "+strings.Join(missing, ", "), "give them: --parameter "+missing[0]+"=VALUE")
	}
	return text, nil
}
