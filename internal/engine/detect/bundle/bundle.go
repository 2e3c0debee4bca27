// Package bundle makes a CloudFormation template of detections: for each a metric filter
// on a cluster's log group and an alarm on its metric, which publishes to one topic. The
// template is AWS's own in all it has: it can be used there as well.
//
// The package is pure.
package bundle

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/eksact/eksact/internal/engine/detect"
)

// Options say what a template has.
type Options struct {
	Cluster string
	// Detections are those wanted; nil is all that a filter pattern can say.
	Detections []string
	// Allowed are the networks that people work from, of unexpected-source. None: the
	// template is without it.
	Allowed []netip.Prefix
	// URLs get the notifications, by HTTP or HTTPS.
	URLs []string
}

// unexpected is the detection whose pattern follows from Options.
const unexpected = "unexpected-source"

// Included are the detections that a template has, with their patterns.
func Included(o Options) ([]detect.Detection, error) {
	var out []detect.Detection
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
		if d.ID == unexpected && len(o.Allowed) > 0 {
			var err error
			if d.Pattern, err = sourcePattern(o.Allowed); err != nil {
				return nil, err
			}
		}
		switch {
		case d.Pattern != "":
			out = append(out, d)
		case wanted[d.ID] && d.ID == unexpected:
			return nil, fmt.Errorf("%s needs the networks that people work from", d.ID)
		case wanted[d.ID]:
			return nil, fmt.Errorf("no filter pattern says %s: it is looked for by query alone", d.ID)
		}
	}
	return out, nil
}

// Pattern length, and how many networks it can tell apart.
const mostPattern = 1024

// sourcePattern matches people's requests from elsewhere. Patterns compare text: a network
// is the beginnings that its addresses have.
func sourcePattern(allowed []netip.Prefix) (string, error) {
	var b strings.Builder
	b.WriteString(`{ $.sourceIPs[0] = "*" && $.user.username != "system:*" && $.user.username != "eks:*"`)
	for _, n := range allowed {
		beginnings, err := textual(n.Masked())
		if err != nil {
			return "", err
		}
		for _, t := range beginnings {
			fmt.Fprintf(&b, ` && $.sourceIPs[0] != %q`, t)
		}
	}
	b.WriteString(` && $.stage = "ResponseComplete" }`)
	if b.Len() > mostPattern {
		return "", fmt.Errorf("the networks make a pattern of %d characters, and CloudWatch Logs takes %d: give fewer, or of 8, 16, 24 or 32 bits", b.Len(), mostPattern)
	}
	return b.String(), nil
}

// textual are the beginnings of a network's addresses as text.
func textual(n netip.Prefix) ([]string, error) {
	if !n.Addr().Is4() {
		if n.IsSingleIP() {
			return []string{n.Addr().String()}, nil
		}
		return nil, fmt.Errorf("%s: filter patterns can't tell IPv6 networks apart, only single addresses", n)
	}
	octets := n.Addr().As4()
	whole := (n.Bits() + 7) / 8
	if whole == 0 {
		return []string{"*"}, nil
	}
	var out []string
	for i := range 1 << (8*whole - n.Bits()) {
		var parts []string
		for j := range whole {
			v := int(octets[j])
			if j == whole-1 {
				v += i
			}
			parts = append(parts, fmt.Sprint(v))
		}
		t := strings.Join(parts, ".")
		if whole < 4 {
			t += ".*"
		}
		out = append(out, t)
	}
	return out, nil
}

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
		resources[name+"Filter"] = object{"Type": "AWS::Logs::MetricFilter", "Properties": object{
			"LogGroupName": sub("/aws/eks/${ClusterName}/cluster"), "FilterName": d.ID, "FilterPattern": d.Pattern,
			"MetricTransformations": []any{object{"MetricNamespace": sub("EKSAudit/${ClusterName}"), "MetricName": d.ID, "MetricValue": "1"}},
		}}
		period, threshold := 60, 1
		if d.Burst > 0 {
			period, threshold = 300, d.Burst
		}
		resources[name+"Alarm"] = object{"Type": "AWS::CloudWatch::Alarm", "DependsOn": name + "Filter", "Properties": object{
			"AlarmName": sub("${ClusterName}-audit-" + d.ID), "AlarmDescription": fmt.Sprintf("%s (%s, %s %s). %s %s", d.Title, d.Severity, d.Technique.ID, d.Technique.Name, d.Why, d.Do),
			"Namespace": sub("EKSAudit/${ClusterName}"), "MetricName": d.ID, "Statistic": "Sum", "Period": period, "EvaluationPeriods": 1,
			"Threshold": threshold, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching", "AlarmActions": []any{object{"Ref": "Topic"}},
		}}
	}
	cluster := o.Cluster
	if cluster == "" {
		cluster = "cluster"
	}
	text, err := json.MarshalIndent(object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Alarms on an EKS cluster's audit log, which must be switched on",
		"Parameters":               object{"ClusterName": object{"Type": "String", "Default": cluster}},
		"Resources":                resources,
		"Outputs":                  object{"Topic": object{"Value": object{"Ref": "Topic"}}},
	}, "", " ")
	return string(text), err
}

// logical is a name as resources in templates have them.
func logical(id string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(id, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
