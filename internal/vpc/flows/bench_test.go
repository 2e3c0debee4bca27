package flows_test

import (
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
)

// levels are what flow logs cost step by step: nothing counted; counted, as always;
// listened to; and with the flags of TCP.
func levels(b *testing.B, run func(*testing.B, *house)) {
	for _, level := range []struct {
		name            string
		counted, listen bool
		flags           bool
	}{
		{"uncounted", false, false, false}, {"counted", true, false, false}, {"flow log", true, true, false}, {"flow log with tcp-flags", true, true, true},
	} {
		b.Run(level.name, func(b *testing.B) {
			h := newHouse(b)
			value := map[bool]string{false: "0", true: "1"}[level.counted]
			err := netns.Do(h.World(), func() error {
				return os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_acct", []byte(value), 0o644)
			})
			if err != nil {
				b.Fatal(err)
			}
			if level.listen {
				h.listen(b)
			}
			if level.flags {
				if err := h.capture.LogFlags(true); err != nil {
					b.Fatal(err)
				}
			}
			run(b, h)
			if h.seen.missed > 0 {
				b.Logf("missed %d times", h.seen.missed)
			}
		})
	}
}

// BenchmarkConnect is a TCP connection from one machine to the other, opened and
// reset.
func BenchmarkConnect(b *testing.B) {
	levels(b, func(b *testing.B, h *house) {
		l, err := netns.Listen(h.nsB, "tcp4", h.b.String()+":80")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		dial := netns.Dial(h.nsA)
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			c, err := dial(b.Context(), "tcp4", h.b.String()+":80")
			took = append(took, time.Since(began))
			if err != nil {
				b.Fatal(err)
			}
			c.(*net.TCPConn).SetLinger(0) // so that ports don't run out
			c.Close()
		}
		report(b, took)
	})
}

// report shows what neighbours on the machine disturb least: the fastest.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/100].Nanoseconds()), "p01-ns")
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
}

// BenchmarkThroughput is what one connection carries.
func BenchmarkThroughput(b *testing.B) {
	levels(b, func(b *testing.B, h *house) {
		l, err := netns.Listen(h.nsB, "tcp4", h.b.String()+":80")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, _ = io.Copy(io.Discard, c)
			}
		}()
		c, err := netns.Dial(h.nsA)(b.Context(), "tcp4", h.b.String()+":80")
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		block := make([]byte, 1<<20)
		b.SetBytes(1 << 20)
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			if _, err := c.Write(block); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		report(b, took)
	})
}
