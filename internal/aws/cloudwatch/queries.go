package cloudwatch

import (
	"errors"
	"math"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/metric"
	"github.com/eksact/eksact/internal/engine/metricmath"
)

const mostQueries = 500

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// Query is a metric's statistic, or an expression over others.
type Query struct {
	ID         string
	Label      string  `json:",omitempty"`
	Expression string  `json:",omitempty"`
	Metric     *Metric `json:",omitempty"`
	Stat       string  `json:",omitempty"`
	Unit       string  `json:",omitempty"`
	Period     int64   `json:",omitempty"` // of an expression: 0, the longest of what it is of
	Hidden     bool    `json:",omitempty"` // not part of the answer
}

// queries are some that can name each other.
type queries struct {
	shelf *shelf
	list  []Query
	exprs []*metricmath.Expr // beside list; nil of metrics
	stats []metric.Statistic
}

// readQueries checks queries as a client gives them.
func (s *Service) readQueries(in []types.MetricDataQuery) (*queries, error) {
	if len(in) > mostQueries {
		return nil, api.ValidationError("The collection MetricDataQueries must not have a size greater than %d.", mostQueries)
	}
	var list []Query
	for i := range in {
		q, err := s.readQuery(&in[i])
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(other Query) bool { return other.ID == q.ID }) {
			return nil, api.ValidationError("The values for parameter id in MetricDataQueries are not unique: %s", q.ID)
		}
		list = append(list, q)
	}
	return parseQueries(s.shelf, list)
}

func (s *Service) readQuery(in *types.MetricDataQuery) (Query, error) {
	q := Query{ID: aws.ToString(in.Id), Label: aws.ToString(in.Label), Expression: aws.ToString(in.Expression), Period: int64(aws.ToInt32(in.Period)), Hidden: in.ReturnData != nil && !*in.ReturnData}
	switch {
	case !queryID.MatchString(q.ID):
		return q, api.ValidationError("The value %s for parameter Id is invalid: it must begin with a lower case letter and have letters, digits and _ only.", q.ID)
	case in.AccountId != nil && *in.AccountId != s.Place.AccountID:
		return q, unsupported("Metrics of other accounts (AccountId)")
	case (in.MetricStat == nil) == (q.Expression == ""):
		return q, api.ValidationError("The query %s must have either MetricStat or Expression.", q.ID)
	case dynamicLabel.MatchString(q.Label):
		return q, unsupported("A dynamic label (" + q.Label + ")")
	case in.Period != nil && !validPeriod(*in.Period):
		return q, api.ValidationError("The period of query %s must be 1, 5, 10, 20, 30, or a multiple of 60.", q.ID)
	case in.MetricStat == nil:
		return q, nil
	}
	st := in.MetricStat
	dims, err := dimensions(st.Metric.Dimensions, "")
	if err != nil {
		return q, err
	}
	if st.Metric.Namespace == nil || st.Metric.MetricName == nil {
		return q, api.ValidationError("The metric of query %s must have Namespace and MetricName.", q.ID)
	}
	if st.Period == nil || !validPeriod(*st.Period) {
		return q, api.ValidationError("The period of query %s must be 1, 5, 10, 20, 30, or a multiple of 60.", q.ID)
	}
	q.Metric = &Metric{*st.Metric.Namespace, *st.Metric.MetricName, dims}
	q.Period, q.Stat, q.Unit = int64(*st.Period), aws.ToString(st.Stat), string(st.Unit)
	return q, nil
}

// dynamicLabel has a part that is computed: ${MAX}.
var dynamicLabel = regexp.MustCompile(`\$\{`)

// parseQueries reads expressions and statistics, and refuses what names itself.
func parseQueries(shelf *shelf, list []Query) (*queries, error) {
	q := &queries{shelf: shelf, list: list, exprs: make([]*metricmath.Expr, len(list)), stats: make([]metric.Statistic, len(list))}
	for i := range list {
		var err error
		if list[i].Metric != nil {
			if q.stats[i], err = metric.Parse(list[i].Stat); err != nil {
				return nil, api.ValidationError("The value %s for parameter MetricStat.Stat is invalid.", list[i].Stat)
			}
		} else if q.exprs[i], err = metricmath.Parse(list[i].Expression); err != nil {
			return nil, api.ValidationError("Error in expression '%s': %s", list[i].ID, err)
		}
	}
	for i := range list {
		if err := q.check(i, nil); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// uses are the queries that an expression names.
func (q *queries) uses(i int) (out []int, missing string) {
	e := q.exprs[i]
	if e == nil {
		return nil, ""
	}
	for _, name := range e.IDs() {
		j := slices.IndexFunc(q.list, func(other Query) bool { return other.ID == name })
		if j < 0 {
			return nil, name
		}
		out = append(out, j)
	}
	if e.All() {
		for j := range q.list {
			if q.list[j].Metric != nil && !slices.Contains(out, j) {
				out = append(out, j)
			}
		}
	}
	return out, ""
}

func (q *queries) check(i int, way []int) error {
	if slices.Contains(way, i) {
		return api.ValidationError("Error in expression '%s': it depends on itself", q.list[i].ID)
	}
	used, missing := q.uses(i)
	if missing != "" {
		return api.ValidationError("Error in expression '%s': there is no metric or expression %s", q.list[i].ID, missing)
	}
	if len(way) > 20 {
		return api.ValidationError("Error in expression '%s': expressions depend on each other more than 20 deep", q.list[i].ID)
	}
	for _, j := range used {
		if q.exprs[j] == nil {
			continue
		}
		if err := q.check(j, append(slices.Clone(way), i)); err != nil {
			return err
		}
	}
	return nil
}

// period is the length of a query's periods.
func (q *queries) period(i int) int64 {
	if q.list[i].Period > 0 {
		return q.list[i].Period
	}
	longest := int64(0)
	used, _ := q.uses(i)
	for _, j := range used {
		longest = max(longest, q.period(j))
	}
	if longest == 0 {
		return 300 // of an expression of numbers alone
	}
	return longest
}

// sets are what a metric was in each period.
func (q *queries) sets(i int, w window) []metric.Set {
	out := make([]metric.Set, w.periods())
	q.shelf.read(q.list[i].Metric.key(), func(of *series) {
		for n := range out {
			at := w.from + int64(n)*w.period
			out[n] = of.between(q.list[i].Unit, at, min(at+w.period, w.to))
		}
	})
	return out
}

// series are what a query makes: one of a metric.
func (q *queries) series(i int, w window) ([]metricmath.Series, error) {
	return q.memoized(i, w, map[int][]metricmath.Series{})
}

func (q *queries) memoized(i int, w window, known map[int][]metricmath.Series) ([]metricmath.Series, error) {
	if s, ok := known[i]; ok {
		return s, nil
	}
	if q.exprs[i] == nil {
		s := make(metricmath.Series, w.periods())
		for n, set := range q.sets(i, w) {
			v, ok := q.stats[i].Of(set)
			if !ok {
				v = math.NaN()
			}
			s[n] = v
		}
		known[i] = []metricmath.Series{s}
		return known[i], nil
	}
	used, _ := q.uses(i)
	slices.Sort(used)
	var metrics []metricmath.Metric
	for _, j := range used {
		s, err := q.memoized(j, w, known)
		if err != nil {
			return nil, err
		}
		metrics = append(metrics, metricmath.Metric{ID: q.list[j].ID, Series: s, Derived: q.exprs[j] != nil})
	}
	s, err := q.exprs[i].Eval(metricmath.Grid{Start: w.from, Period: w.period, Len: int(w.periods())}, metrics)
	if err != nil {
		return nil, api.ValidationError("Error in expression '%s': %s", q.list[i].ID, err)
	}
	known[i] = s
	return s, nil
}

// returned is the one query whose data an alarm watches.
func (q *queries) returned() (int, error) {
	found := -1
	for i := range q.list {
		switch {
		case q.list[i].Hidden:
		case found >= 0:
			return 0, errors.New("exactly one element of Metrics must have ReturnData true")
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, errors.New("exactly one element of Metrics must have ReturnData true")
	}
	return found, nil
}
