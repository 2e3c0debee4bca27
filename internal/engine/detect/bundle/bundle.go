// Package bundle makes a CloudFormation template of detections: for each metric filters
// on a cluster's log group and an alarm on their metric, which publishes to one topic. The
// template is AWS's own in all it has: it can be used there as well.
//
// The package is pure.
package bundle

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/eksact/eksact/internal/engine/detect"
)

// Options say what a template has.
type Options struct {
	Cluster string
	// Detections are those wanted; nil is all.
	Detections []string
	// Params are the networks that some detections need. Without them the template is
	// without those.
	detect.Params
	// URLs get the notifications, by HTTP or HTTPS.
	URLs []string
}

// Watched is a detection that a template has, with its filter patterns.
type Watched struct {
	detect.Detection
	Patterns []string
}

// Included are the detections that a template has.
func Included(o Options) ([]Watched, error) {
	var out []Watched
	wanted := map[string]bool{}
	for _, id := range o.Detections {
		if _, ok := detect.Find(id); !ok {
			return nil, fmt.Errorf("there is no detection %q", id)
		}
		wanted[id] = true
	}
	for _, d := range detect.All() {
		if len(wanted) > 0 && !wanted[d.ID] {
			continue
		}
		patterns, err := d.Patterns(o.Params)
		switch needs := d.Needs(o.Params); {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", d.ID, err)
		case len(patterns) > 0:
			out = append(out, Watched{d, patterns})
		case wanted[d.ID]:
			return nil, fmt.Errorf("%s needs networks: --%s", d.ID, strings.Join(needs, ", --"))
		}
	}
	return out, nil
}

// mostTemplate is how many bytes a template has that a call holds.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const mostTemplate = 51_200

type object = map[string]any

// Template is the template, as JSON.
func Template(o Options) (string, error) {
	list, err := Included(o)
	if err != nil {
		return "", err
	}
	sub := func(text string) object { return object{"Fn::Sub": text} }
	resources := object{"Topic": object{"Type": "AWS::SNS::Topic", "Properties": object{"TopicName": sub("${ClusterName}-audit-alerts"), "DisplayName": sub("Audit of ${ClusterName}")}}}
	for i, url := range o.URLs {
		protocol, _, _ := strings.Cut(url, ":")
		resources[fmt.Sprintf("Subscription%d", i+1)] = object{"Type": "AWS::SNS::Subscription", "Properties": object{"TopicArn": object{"Ref": "Topic"}, "Protocol": protocol, "Endpoint": url}}
	}
	for _, d := range list {
		name := logical(d.ID)
		for i, pattern := range d.Patterns {
			number := ""
			if i > 0 {
				number = fmt.Sprint(i + 1)
			}
			resources[name+"Filter"+number] = object{"Type": "AWS::Logs::MetricFilter", "Properties": object{
				"LogGroupName": sub("/aws/eks/${ClusterName}/cluster"), "FilterName": strings.TrimSuffix(d.ID+"-"+number, "-"), "FilterPattern": pattern,
				"MetricTransformations": []any{object{"MetricNamespace": sub("EKSAudit/${ClusterName}"), "MetricName": d.ID, "MetricValue": "1"}},
			}}
		}
		period, threshold := 60, 1
		if d.Burst > 0 {
			period, threshold = 300, d.Burst
		}
		resources[name+"Alarm"] = object{"Type": "AWS::CloudWatch::Alarm", "Properties": object{
			"AlarmName": sub("${ClusterName}-audit-" + d.ID), "AlarmDescription": fmt.Sprintf("%s (%s, %s). %s %s", d.Title, d.Severity, d.Technique.ID, d.Why, d.Do),
			"Namespace": sub("EKSAudit/${ClusterName}"), "MetricName": d.ID, "Statistic": "Sum", "Period": period, "EvaluationPeriods": 1,
			"Threshold": threshold, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching", "AlarmActions": []any{object{"Ref": "Topic"}},
		}}
	}
	cluster := o.Cluster
	if cluster == "" {
		cluster = "cluster"
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // patterns have many &, and a template has a bound
	err = e.Encode(object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Alarms on an EKS cluster's audit log, which must be switched on",
		"Parameters":               object{"ClusterName": object{"Type": "String", "Default": cluster}},
		"Resources":                resources,
		"Outputs":                  object{"Topic": object{"Value": object{"Ref": "Topic"}}},
	})
	if text.Len() > mostTemplate {
		return "", fmt.Errorf("the template has %d bytes, and CloudFormation takes %d: give fewer networks, of 8, 16, 24 or 32 bits, or fewer detections", text.Len(), mostTemplate)
	}
	return text.String(), err
}

// logical is a name as resources in templates have them.
func logical(id string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(id, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
