package controlplane

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/engine/logline"
)

// LogType is one of the kinds of logs that EKS exports to CloudWatch Logs.
// https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
type LogType struct {
	Name   string // as UpdateClusterConfig has it: "controllerManager"
	Path   string // the file that it is written to
	Stream string // the name of its log stream: "kube-controller-manager-" and 32 hexadecimal digits
	// Events makes log events of a line. Now is the time for one that tells none, or
	// tells no year.
	Events func(line string, now time.Time) []LogEvent
}

// LogEvent is a line with its time.
type LogEvent struct {
	Time    time.Time
	Message string
}

// LogTypes are the control plane's, for a cluster of an id. Their streams end in digits
// that are the control plane's own: a cluster made anew has others.
func (c Config) LogTypes(id string) []LogType {
	sum := sha256.Sum256([]byte(id))
	own := "-" + hex.EncodeToString(sum[:16])
	return []LogType{
		{"api", c.Log(APIServer), APIServer + own, klog},
		{"audit", c.AuditLog(), "kube-apiserver-audit" + own, audit},
		{"authenticator", c.Log("authenticator"), "authenticator" + own, logrus},
		{"controllerManager", c.Log(ControllerManager), ControllerManager + own, klog},
		{"scheduler", c.Log(Scheduler), Scheduler + own, klog},
	}
}

func klog(line string, now time.Time) []LogEvent {
	t, ok := logline.Klog(line, now, time.Local)
	if !ok {
		t = now
	}
	return []LogEvent{{t, line}}
}

func logrus(line string, now time.Time) []LogEvent {
	t, ok := logline.Logrus(line)
	if !ok {
		t = now
	}
	return []LogEvent{{t, line}}
}

// auditHead is how each audit event begins.
const auditHead = `{"kind":"Event","apiVersion":"audit.k8s.io/v1"`

// audit reads the time of an audit event, which is when its stage was reached. An API
// server that was killed in the middle of a line leaves the beginning of an event there,
// which its successor's first event follows: they are two.
func audit(line string, now time.Time) []LogEvent {
	if t, ok := auditTime(line); ok {
		return []LogEvent{{t, line}}
	}
	if cut := strings.LastIndex(line, auditHead); cut > 0 {
		if t, ok := auditTime(line[cut:]); ok {
			return []LogEvent{{t, line[:cut]}, {t, line[cut:]}}
		}
	}
	return []LogEvent{{now, line}}
}

// stageTimestamp takes the field out of an event, which is read as a whole: what people
// write into their objects may contain anything.
var stageTimestamp, auditID, auditStage = auditField("$.stageTimestamp"), auditField("$.auditID"), auditField("$.stage")

func auditField(selector string) func(string) (string, bool) {
	p, err := filter.Parse("{ " + selector + " = * }")
	if err != nil {
		panic(err)
	}
	field, err := p.Selector(selector)
	if err != nil {
		panic(err)
	}
	return field
}

func auditTime(line string) (time.Time, bool) {
	text, ok := stageTimestamp(line)
	if !ok {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t, err == nil
}

// AuditKey tells one audit event from others: an id has an event for each of its stages.
// It is "" of what is none.
func AuditKey(message string) string {
	id, ok := auditID(message)
	stage, _ := auditStage(message)
	if !ok {
		return ""
	}
	return id + "/" + stage
}
