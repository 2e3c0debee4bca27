package flowlog

import (
	"errors"
	"strconv"
	"strings"
)

// DefaultFormat is a flow log's that names none.
const DefaultFormat = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"

// Format is the fields of a record's line, in order.
type Format struct {
	names   []string
	fields  []field
	version int
}

// field is a kind of value. Without traffic only some have one.
type field struct {
	version int
	always  bool                      // also in records without traffic
	value   func(*Record, int) string // "" is shown as "-"
}

// ErrFormat is returned for a format that is none: there is no field, or something
// that is no field.
var ErrFormat = errors.New("invalid flow log format")

// ParseFormat reads a format: names of fields as ${name}, with spaces between.
func ParseFormat(text string) (Format, error) {
	f := Format{}
	for _, word := range strings.Split(text, " ") {
		name, ok := strings.CutPrefix(word, "${")
		name, closed := strings.CutSuffix(name, "}")
		kind, known := fields[name]
		if !ok || !closed || !known {
			return Format{}, ErrFormat
		}
		f.names, f.fields = append(f.names, name), append(f.fields, kind)
		f.version = max(f.version, kind.version)
	}
	return f, nil
}

// Header is the line that a file begins with: the fields' names.
func (f Format) Header() string { return strings.Join(f.names, " ") }

// Has says whether the format has a field.
func (f Format) Has(name string) bool {
	for _, n := range f.names {
		if n == name {
			return true
		}
	}
	return false
}

// Append adds a record's line, without its end, to b.
func (f Format) Append(b []byte, r *Record) []byte {
	for i, kind := range f.fields {
		if i > 0 {
			b = append(b, ' ')
		}
		value := ""
		if r.Status == OK || kind.always {
			value = kind.value(r, f.version)
		}
		if value == "" {
			value = "-"
		}
		b = append(b, value...)
	}
	return b
}

func number[T ~uint8 | ~uint16 | ~uint64 | ~int64 | ~int](n T) string {
	return strconv.FormatUint(uint64(n), 10)
}

// none is of what nothing here has: no containers of ECS, no sublocations, no
// addresses of AWS's published ranges.
func none(*Record, int) string { return "" }

var fields = map[string]field{
	"version":      {2, true, func(_ *Record, v int) string { return number(v) }},
	"account-id":   {2, true, func(r *Record, _ int) string { return r.Interface.Account }},
	"interface-id": {2, true, func(r *Record, _ int) string { return r.Interface.ID }},
	"srcaddr":      {2, false, func(r *Record, _ int) string { return r.source().String() }},
	"dstaddr":      {2, false, func(r *Record, _ int) string { return r.destination().String() }},
	"srcport":      {2, false, func(r *Record, _ int) string { return number(r.SourcePort) }},
	"dstport":      {2, false, func(r *Record, _ int) string { return number(r.DestinationPort) }},
	"protocol":     {2, false, func(r *Record, _ int) string { return number(r.Proto) }},
	"packets":      {2, false, func(r *Record, _ int) string { return number(r.Packets) }},
	"bytes":        {2, false, func(r *Record, _ int) string { return number(r.Bytes) }},
	"start":        {2, true, func(r *Record, _ int) string { return number(r.Start) }},
	"end":          {2, true, func(r *Record, _ int) string { return number(r.End) }},
	"action":       {2, false, func(r *Record, _ int) string { return action(r) }},
	"log-status":   {2, true, func(r *Record, _ int) string { return [...]string{"OK", "NODATA", "SKIPDATA"}[r.Status] }},

	"vpc-id":      {3, true, func(r *Record, _ int) string { return r.Interface.VPC }},
	"subnet-id":   {3, true, func(r *Record, _ int) string { return r.Interface.Subnet }},
	"instance-id": {3, true, func(r *Record, _ int) string { return r.Interface.Instance }},
	"tcp-flags":   {3, false, func(r *Record, _ int) string { return number(r.Flags) }},
	"type":        {3, false, kind},
	"pkt-srcaddr": {3, false, func(r *Record, _ int) string { return r.Source.String() }},
	"pkt-dstaddr": {3, false, func(r *Record, _ int) string { return r.Destination.String() }},

	"region":           {4, true, func(r *Record, _ int) string { return r.Interface.Region }},
	"az-id":            {4, true, func(r *Record, _ int) string { return r.Interface.ZoneID }},
	"sublocation-type": {4, false, none},
	"sublocation-id":   {4, false, none},

	"pkt-src-aws-service": {5, false, none},
	"pkt-dst-aws-service": {5, false, none},
	"flow-direction":      {5, false, func(r *Record, _ int) string { return [...]string{"ingress", "egress"}[r.Direction] }},
	"traffic-path": {5, false, func(r *Record, _ int) string {
		if r.path() == 0 {
			return ""
		}
		return number(r.path())
	}},

	"ecs-cluster-arn":            {7, false, none},
	"ecs-cluster-name":           {7, false, none},
	"ecs-container-instance-arn": {7, false, none},
	"ecs-container-instance-id":  {7, false, none},
	"ecs-container-id":           {7, false, none},
	"ecs-second-container-id":    {7, false, none},
	"ecs-service-name":           {7, false, none},
	"ecs-task-definition-arn":    {7, false, none},
	"ecs-task-arn":               {7, false, none},
	"ecs-task-id":                {7, false, none},

	"reject-reason": {8, false, none}, // of block public access alone
}

func action(r *Record) string {
	if r.Rejected {
		return "REJECT"
	}
	return "ACCEPT"
}

func kind(r *Record, _ int) string {
	if r.Source.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
