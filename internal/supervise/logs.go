package supervise

import (
	"io"
	"os"
	"time"
)

// A log may grow to logLimit; then it becomes its own ".1" and starts empty.
// Its writer holds it open for append, so it is copied and cut, not renamed.
const logLimit = 32 << 20

func (s *Supervisor) trimLogs() {
	for range time.Tick(time.Minute) {
		s.mu.Lock()
		var logs []string
		for _, c := range s.children {
			if c.spec.Log != "" {
				logs = append(logs, c.spec.Log)
			}
		}
		s.mu.Unlock()
		for _, path := range logs {
			trim(path, logLimit)
		}
	}
}

func trim(path string, limit int64) {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= limit {
		return
	}
	from, err := os.Open(path)
	if err != nil {
		return
	}
	defer from.Close()
	to, err := os.Create(path + ".1")
	if err != nil {
		return
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err == nil {
		_ = os.Truncate(path, 0)
	}
}
