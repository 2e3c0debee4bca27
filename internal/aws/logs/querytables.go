package logs

import (
	"encoding/csv"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// resultsNeed is what making a table of a query's results needs besides: to see them.
func (s *Service) resultsNeed(query *string) []api.Need {
	if query == nil {
		return nil
	}
	return []api.Need{{Action: "logs:GetQueryResults", Resources: s.ofQuery(query)}}
}

// tableText is a query's results as a table: of one that is complete, or what one that
// was stopped had found.
func (s *Service) tableText(id *string) (string, error) {
	q, err := s.queries.find(id)
	if err != nil {
		return "", err
	}
	if status := q.state(); status != types.QueryStatusComplete && status != types.QueryStatusCancelled {
		return "", invalid("The query is " + string(status) + ": a table is made of results of one that has completed or was cancelled.")
	}
	result, err := s.queries.results(q)
	if err != nil {
		return "", err
	}
	return tableOf(result)
}

// tableOf is results as CSV, with a name for each column. @ptr is left out.
func tableOf(result results) (string, error) {
	columns, rows := []string{}, []map[string]string{}
	for n := range result.Len() {
		row, at := map[string]string{}, 0 // at: where the next column is, if it is new
		for _, f := range result.Fields(n) {
			if f.Name == "@ptr" {
				continue
			}
			row[f.Name] = f.Value
			if i := slices.Index(columns, f.Name); i >= 0 {
				at = i + 1
				continue
			}
			columns = slices.Insert(columns, at, f.Name)
			at++
		}
		rows = append(rows, row)
	}
	if len(columns) == 0 {
		return "", invalid("The query has no results.")
	}
	var text strings.Builder
	w := csv.NewWriter(&text)
	_ = w.Write(columns) // to memory
	for _, row := range rows {
		record := make([]string, len(columns))
		for i, name := range columns {
			record[i] = shown(row[name])
		}
		_ = w.Write(record)
		if w.Flush(); text.Len() > mostTableBytes {
			return "", invalid("The table is larger than 10 MB.")
		}
	}
	w.Flush()
	return text.String(), nil
}
