package logs

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/store"
)

// Definition is a query that was saved under a name.
type Definition struct {
	ID, Name string
	Query    string
	Groups   []string
	Modified int64 // ms since 1970
	// Parameters are what {{name}} in the query stands for, whoever runs it fills them in.
	Parameters []types.QueryParameter `json:",omitempty"`
}

// mostDefinitions is how many an account can have.
const mostDefinitions = 1000

// notInsights refuses the query languages that are not CloudWatch Logs' own.
func notInsights(language types.QueryLanguage) error {
	if language != "" && language != types.QueryLanguageCwli {
		return invalid("The query language " + string(language) + " is not supported: only " + string(types.QueryLanguageCwli) + " is.")
	}
	return nil
}

// PutQueryDefinition saves a query, or changes one that was saved. That it can be run is
// not asked, as on AWS.
func (s *Service) PutQueryDefinition(ctx context.Context, in *cloudwatchlogs.PutQueryDefinitionInput) (*cloudwatchlogs.PutQueryDefinitionOutput, error) {
	d := Definition{ID: aws.ToString(in.QueryDefinitionId), Name: aws.ToString(in.Name), Query: aws.ToString(in.QueryString), Groups: in.LogGroupNames, Modified: s.ms(), Parameters: in.Parameters}
	if err := notInsights(in.QueryLanguage); err != nil {
		return nil, err
	}
	if err := checkParameters(in.Parameters); err != nil {
		return nil, err
	}
	fresh := d.ID == ""
	if fresh {
		d.ID = uuid.NewString()
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		count := 0
		for id, other := range s.definitions.In(tx).List("") {
			count++
			if other.Name == d.Name && id != d.ID {
				return invalid("A query definition with the name " + d.Name + " already exists.")
			}
		}
		if _, ok := s.definitions.In(tx).Get(d.ID); !ok && !fresh {
			return noDefinition
		}
		if fresh && count >= mostDefinitions {
			return limitExceeded
		}
		s.definitions.In(tx).Put(d.ID, d)
		return nil
	})
	return &cloudwatchlogs.PutQueryDefinitionOutput{QueryDefinitionId: aws.String(d.ID)}, err
}

var parameterName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,127}$`)

// checkParameters refuses parameters whose names can't be, or are there twice.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_QueryParameter.html
func checkParameters(list []types.QueryParameter) error {
	seen := map[string]bool{}
	for i, p := range list {
		name := aws.ToString(p.Name)
		if !parameterName.MatchString(name) {
			return unmatched(name, fmt.Sprintf("parameters.%d.member.name", i+1), "^[a-zA-Z_][a-zA-Z0-9_]*")
		}
		if seen[name] {
			return invalid("The query parameter " + name + " is there twice.")
		}
		seen[name] = true
	}
	return nil
}

var noDefinition = &types.ResourceNotFoundException{Message: aws.String("The specified query definition does not exist.")}

// DeleteQueryDefinition deletes a saved query.
func (s *Service) DeleteQueryDefinition(ctx context.Context, in *cloudwatchlogs.DeleteQueryDefinitionInput) (*cloudwatchlogs.DeleteQueryDefinitionOutput, error) {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.definitions.In(tx).Get(aws.ToString(in.QueryDefinitionId)); !ok {
			return noDefinition
		}
		s.definitions.In(tx).Delete(aws.ToString(in.QueryDefinitionId))
		return nil
	})
	return &cloudwatchlogs.DeleteQueryDefinitionOutput{Success: err == nil}, err
}

// DescribeQueryDefinitions lists saved queries by name.
func (s *Service) DescribeQueryDefinitions(_ context.Context, in *cloudwatchlogs.DescribeQueryDefinitionsInput) (*cloudwatchlogs.DescribeQueryDefinitionsOutput, error) {
	if err := notInsights(in.QueryLanguage); err != nil {
		return nil, err
	}
	var all []Definition
	for _, d := range s.definitions.List("") {
		if prefix := aws.ToString(in.QueryDefinitionNamePrefix); len(d.Name) >= len(prefix) && d.Name[:len(prefix)] == prefix {
			all = append(all, d)
		}
	}
	key := func(d Definition) string { return d.Name + "\x00" + d.ID }
	slices.SortFunc(all, func(a, b Definition) int { return strings.Compare(key(a), key(b)) })
	page, next, err := pagedTo(1000, all, in.MaxResults, in.NextToken, key)
	out := &cloudwatchlogs.DescribeQueryDefinitionsOutput{QueryDefinitions: []types.QueryDefinition{}, NextToken: next}
	for _, d := range page {
		out.QueryDefinitions = append(out.QueryDefinitions, types.QueryDefinition{
			QueryDefinitionId: aws.String(d.ID), Name: aws.String(d.Name), QueryString: aws.String(d.Query), LogGroupNames: d.Groups,
			LastModified: aws.Int64(d.Modified), QueryLanguage: types.QueryLanguageCwli, Parameters: d.Parameters,
		})
	}
	return out, err
}
