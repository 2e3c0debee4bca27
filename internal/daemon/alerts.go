package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/sns"
)

// alarmTopics is SNS as alarms publish to it.
type alarmTopics struct{ sns *sns.Service }

// Publish implements cloudwatch.Topics.
func (t alarmTopics) Publish(ctx context.Context, topic, subject, message, alarm string) error {
	_, err := t.sns.PublishAs(ctx, "cloudwatch.amazonaws.com", topic, sns.Given{Subject: subject, Text: message, Source: alarm})
	return err
}

// alertLog is a file of the changes of alarms' states, one JSON object a line, for whoever
// reads files rather than topics. When it is long, it becomes the older of two.
type alertLog struct {
	dir  string
	most int64 // bytes
	mu   sync.Mutex
}

// alertBytes is how long a file gets.
const alertBytes = 8 << 20

func newAlertLog(dir string) *alertLog { return &alertLog{dir: dir, most: alertBytes} }

// add writes a change. One that can't be written is still in the alarm's history.
func (l *alertLog) add(c cloudwatch.StateChange) {
	if err := l.write(c); err != nil {
		slog.Error("a change of an alarm can't be written", "alarm", c.Alarm, "error", err)
	}
}

func (l *alertLog) write(c cloudwatch.StateChange) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(l.dir, "alerts.jsonl")
	switch info, err := os.Stat(path); {
	case err == nil && info.Size() > l.most:
		if err := os.Rename(path, filepath.Join(l.dir, "alerts.1.jsonl")); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
