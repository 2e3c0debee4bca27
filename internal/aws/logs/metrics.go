package logs

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/logs/storage"
)

// MetricPoint is one value of a metric, as a metric filter took it from a log event.
type MetricPoint struct {
	Namespace, Name string
	Dimensions      map[string]string // up to three
	Unit            string            // "Count", "None", …; "" where the filter says none
	Time            time.Time         // the event's
	Value           float64
}

// meter applies metric filters to events as they come.
type meter struct {
	emit func([]MetricPoint)

	mu      sync.Mutex
	filters map[string][]*extractor // by group
	minutes map[minuteKey]bool      // of filters with a default value: whether any event matched
}

// minuteKey is a minute in which a group of a filter had events.
type minuteKey struct {
	filter string
	minute int64
}

// note takes over a change of a filter.
func (m *meter) note(key string, old, new *MetricFilter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.filters == nil {
		m.filters, m.minutes = map[string][]*extractor{}, map[minuteKey]bool{}
	}
	if old != nil {
		own := slices.DeleteFunc(slices.Clone(m.filters[old.Group]), func(x *extractor) bool { return x.Name == old.Name })
		m.filters[old.Group] = own
	}
	if new == nil {
		maps.DeleteFunc(m.minutes, func(k minuteKey, _ bool) bool { return k.filter == key })
		return
	}
	if x, err := new.compile(); err == nil { // it was compiled before it was stored
		m.filters[new.Group] = append(slices.Clone(m.filters[new.Group]), x)
	}
}

// take makes values out of a group's events.
func (m *meter) take(group string, events []storage.Event) {
	m.mu.Lock()
	filters := m.filters[group]
	m.mu.Unlock()
	var points []MetricPoint
	for _, x := range filters {
		for i := range events {
			e := &events[i]
			matched := x.pattern.Match(e.Message)
			if x.Metric.DefaultValue != nil {
				m.seen(minuteKey{streamKey(x.Group, x.Name), e.At / time.Minute.Milliseconds()}, matched)
			}
			if matched {
				if p, ok := x.point(e); ok {
					points = append(points, p)
				}
			}
		}
	}
	if len(points) > 0 {
		m.emit(points)
	}
}

func (m *meter) seen(k minuteKey, matched bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.minutes[k] = m.minutes[k] || matched
}

// point is the value of an event that matched. One that is no number gives none; a
// dimension that the event lacks is left out.
func (x *extractor) point(e *storage.Event) (MetricPoint, bool) {
	p := MetricPoint{
		Namespace: aws.ToString(x.Metric.MetricNamespace), Name: aws.ToString(x.Metric.MetricName), Unit: string(x.Metric.Unit),
		Time: time.UnixMilli(e.At), Value: x.constant,
	}
	if x.value != nil {
		text, ok := x.value(e.Message)
		if p.Value, ok = finite(text, ok); !ok {
			return p, false
		}
	}
	for name, take := range x.dimensions {
		if v, ok := take(e.Message); ok && v != "" {
			if p.Dimensions == nil {
				p.Dimensions = map[string]string{}
			}
			p.Dimensions[name] = v
		}
	}
	return p, true
}

// settled is how long after its end a minute counts as over: events come late.
const settled = 5 * time.Second

// defaults gives the default values of minutes that are over, and in which a group had
// events of which none matched.
func (m *meter) defaults(now time.Time) {
	over := now.Add(-settled).UnixMilli() / time.Minute.Milliseconds()
	var points []MetricPoint
	m.mu.Lock()
	for k, matched := range m.minutes {
		if k.minute >= over {
			continue
		}
		delete(m.minutes, k)
		if matched {
			continue
		}
		for _, all := range m.filters {
			for _, x := range all {
				if streamKey(x.Group, x.Name) == k.filter && x.Metric.DefaultValue != nil {
					points = append(points, MetricPoint{
						Namespace: aws.ToString(x.Metric.MetricNamespace), Name: aws.ToString(x.Metric.MetricName), Unit: string(x.Metric.Unit),
						Time: time.UnixMilli(k.minute * time.Minute.Milliseconds()), Value: *x.Metric.DefaultValue,
					})
				}
			}
		}
	}
	m.mu.Unlock()
	if len(points) > 0 {
		m.emit(points)
	}
}

func finite(text string, ok bool) (float64, bool) {
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
}
