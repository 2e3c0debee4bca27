package resources

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// metricFilter is the call that makes or changes a metric filter.
func metricFilter(j *Job, name string) *logs.PutMetricFilterInput {
	in := &logs.PutMetricFilterInput{LogGroupName: ptr(j.Properties, "LogGroupName"), FilterName: &name, FilterPattern: aws.String(text(j.Properties, "FilterPattern"))}
	for _, p := range objects(j.Properties, "MetricTransformations") {
		t := types.MetricTransformation{MetricName: ptr(p, "MetricName"), MetricNamespace: ptr(p, "MetricNamespace"), MetricValue: ptr(p, "MetricValue"), Unit: types.StandardUnit(text(p, "Unit"))}
		if n, ok := p["DefaultValue"].(json.Number); ok {
			if v, err := n.Float64(); err == nil {
				t.DefaultValue = &v
			}
		}
		for _, d := range objects(p, "Dimensions") {
			if t.Dimensions == nil {
				t.Dimensions = map[string]string{}
			}
			t.Dimensions[text(d, "Key")] = text(d, "Value")
		}
		in.MetricTransformations = append(in.MetricTransformations, t)
	}
	return in
}

func createMetricFilter(ctx context.Context, j *Job) (Made, error) {
	name := j.name("FilterName")
	in := metricFilter(j, name)
	if j.PhysicalID == "" && !j.mine(nil) { // the call alone would change one that is there
		out, err := call[logs.DescribeMetricFiltersOutput](ctx, j, "cloudwatchlogs", "DescribeMetricFilters", &logs.DescribeMetricFiltersInput{LogGroupName: in.LogGroupName, FilterNamePrefix: &name})
		if err != nil {
			return Made{}, err
		}
		for _, f := range out.MetricFilters {
			if aws.ToString(f.FilterName) == name && !j.Again {
				return Made{}, alreadyExists(j, name)
			}
		}
	}
	if err := do(ctx, j, "cloudwatchlogs", step{"PutMetricFilter", in}); err != nil {
		return Made{}, err
	}
	j.initiated(name)
	return Made{name, map[string]any{}}, nil
}

func updateMetricFilter(ctx context.Context, j *Job) (Made, error) {
	return Made{}, do(ctx, j, "cloudwatchlogs", step{"PutMetricFilter", metricFilter(j, j.PhysicalID)})
}

func deleteMetricFilter(ctx context.Context, j *Job) error {
	return do(ctx, j, "cloudwatchlogs", step{"DeleteMetricFilter", &logs.DeleteMetricFilterInput{LogGroupName: ptr(j.Old, "LogGroupName"), FilterName: &j.PhysicalID}})
}
