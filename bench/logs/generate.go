package main

import (
	"bufio"
	"os"
	"time"

	"github.com/eksact/eksact/bench/auditevents"
)

// generate writes events of ten a second, the last of them now: stores that judge by the
// age of events keep them. The same number of events are the same but for their times.
func generate(file string, n int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	const interval = 100 * time.Millisecond
	g := auditevents.New(1, time.Now().Add(-time.Duration(n)*interval).Truncate(24*time.Hour), interval)
	w := bufio.NewWriterSize(f, 1<<20)
	for range n {
		w.Write(g.Next().Message)
		w.WriteByte('\n')
	}
	return w.Flush()
}
