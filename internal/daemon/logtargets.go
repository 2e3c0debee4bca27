package daemon

import (
	"context"
	"log/slog"

	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/logs"
	"github.com/eksact/eksact/internal/aws/sns"
	"github.com/eksact/eksact/internal/engine/metric"
)

// logTopics is SNS as CloudWatch Logs publishes to it.
type logTopics struct{ *Daemon }

// PublishAs implements logs.Topics.
func (t logTopics) PublishAs(ctx context.Context, service, source, topic, text string) error {
	_, err := t.sns.PublishAs(ctx, service, topic, sns.Given{Text: text, Source: source})
	return err
}

// measure gives what metric filters found in log events to CloudWatch.
func (d *Daemon) measure(points []logs.MetricPoint) {
	data := make([]cloudwatch.Datum, 0, len(points))
	for _, p := range points {
		m := cloudwatch.Metric{Namespace: p.Namespace, Name: p.Name}
		for name, value := range p.Dimensions {
			m.Dimensions = append(m.Dimensions, cloudwatch.Dimension{Name: name, Value: value})
		}
		data = append(data, cloudwatch.Measured(m, p.Unit, p.Time, metric.One(p.Value, 1)))
	}
	if err := d.cloudwatch.Put(data); err != nil {
		slog.Error("what metric filters found is lost", "values", len(points), "error", err)
	}
}
