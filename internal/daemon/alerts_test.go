package daemon

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/eksact/eksact/internal/aws/cloudwatch"
)

func TestAlertsAreWritten(t *testing.T) {
	l := newAlertLog(filepath.Join(t.TempDir(), "alerts"))
	l.most = 1000
	for range 20 {
		if err := l.write(cloudwatch.StateChange{Alarm: "orders", From: "OK", To: "ALARM", Reason: "Threshold Crossed"}); err != nil {
			t.Fatal(err)
		}
	}
	lines := 0
	for _, name := range []string{"alerts.1.jsonl", "alerts.jsonl"} {
		data, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 1500 {
			t.Errorf("%s has %d bytes", name, len(data))
		}
		for line := range bytes.Lines(data) {
			var c cloudwatch.StateChange
			if err := json.Unmarshal(line, &c); err != nil || c.Alarm != "orders" || c.To != "ALARM" {
				t.Errorf("%s: %v", line, err)
			}
			lines++
		}
	}
	if lines < 5 {
		t.Errorf("%d lines are left", lines)
	}
}
