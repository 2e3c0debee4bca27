package flowlog

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ground has two nodes with pods, a resolver, and the world outside.
func ground() Ground {
	p := netip.MustParsePrefix
	g := NewGround([]netip.Prefix{p("10.0.0.0/16")}, addr("10.0.0.2"), addr("169.254.169.254"))
	g.Add(&Interface{ID: "eni-a", Addr: addr("10.0.64.5")}, p("10.0.65.0/27"))
	g.Add(&Interface{ID: "eni-b", Addr: addr("10.0.96.5")}, p("10.0.97.0/27"))
	return g
}

func tuple(from string, fromPort uint16, to string, toPort uint16) Tuple {
	return Tuple{addr(from), addr(to), fromPort, toPort}
}

// short shows records as lines.
func short(t *testing.T, records []Record) []string {
	t.Helper()
	f, err := ParseFormat("${interface-id} ${pkt-srcaddr} ${pkt-dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${tcp-flags} ${flow-direction} ${log-status}")
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for i := range records {
		lines = append(lines, string(f.Append(nil, &records[i])))
	}
	return lines
}

func same(t *testing.T, got []Record, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, short(t, got)); d != "" {
		t.Error(d)
	}
}

// A connection between two interfaces is four flows; what it had before anybody
// looked is in no window, and each packet in one.
func TestConnections(t *testing.T) {
	var table Table
	table.SetGround(ground())
	c := Connection{ID: 7, Proto: 6, Original: tuple("10.0.65.3", 4000, "10.0.97.9", 80), Reply: tuple("10.0.97.9", 80, "10.0.65.3", 4000),
		Sent: Count{10, 1000}, Answered: Count{5, 5000}, Began: 50}
	table.Connections([]Connection{c}, 0, 100, true)
	same(t, table.Close(40, 100), "eni-a - - - - - - - 40 100 - - - NODATA", "eni-b - - - - - - - 40 100 - - - NODATA")

	c.Sent, c.Answered = Count{14, 1400}, Count{5, 5000}
	fresh := c
	fresh.ID, fresh.Began, fresh.Sent, fresh.Answered = 8, 130, Count{2, 80}, Count{1, 40}
	fresh.Original.SourcePort, fresh.Reply.DestinationPort = 4001, 4001
	table.Connections([]Connection{c, fresh}, 100, 160, false)
	same(t, table.Close(100, 160),
		"eni-a 10.0.65.3 10.0.97.9 4000 80 6 4 400 100 160 ACCEPT 0 egress OK",
		"eni-a 10.0.65.3 10.0.97.9 4001 80 6 2 80 130 160 ACCEPT 0 egress OK",
		"eni-a 10.0.97.9 10.0.65.3 80 4001 6 1 40 130 160 ACCEPT 0 ingress OK",
		"eni-b 10.0.65.3 10.0.97.9 4000 80 6 4 400 100 160 ACCEPT 0 ingress OK",
		"eni-b 10.0.65.3 10.0.97.9 4001 80 6 2 80 130 160 ACCEPT 0 ingress OK",
		"eni-b 10.0.97.9 10.0.65.3 80 4001 6 1 40 130 160 ACCEPT 0 egress OK",
	)

	// One ends between two lists; the other is quiet.
	fresh.Sent, fresh.Answered, fresh.Ended = Count{3, 120}, Count{2, 80}, 170
	table.Ended(&fresh, 160, 171)
	table.Connections([]Connection{c}, 160, 220, false)
	same(t, table.Close(160, 220),
		"eni-a 10.0.65.3 10.0.97.9 4001 80 6 1 40 160 170 ACCEPT 0 egress OK",
		"eni-a 10.0.97.9 10.0.65.3 80 4001 6 1 40 160 170 ACCEPT 0 ingress OK",
		"eni-b 10.0.65.3 10.0.97.9 4001 80 6 1 40 160 170 ACCEPT 0 ingress OK",
		"eni-b 10.0.97.9 10.0.65.3 80 4001 6 1 40 160 170 ACCEPT 0 egress OK",
	)
	table.Connections(nil, 220, 280, false)
	if len(table.counted) != 0 {
		t.Errorf("%d connections that are gone are remembered", len(table.counted))
	}
}

// Addresses are translated between the interfaces: each shows its own side.
func TestTranslation(t *testing.T) {
	var table Table
	table.SetGround(ground())
	table.Connections([]Connection{
		// To a load balancer, whose target is on the other node.
		{ID: 1, Proto: 6, Original: tuple("10.0.65.3", 4000, "198.18.2.4", 80), Reply: tuple("10.0.97.9", 8080, "198.18.0.3", 5000), Sent: Count{1, 60}, Began: 10},
		// From the outside, answered.
		{ID: 2, Proto: 17, Original: tuple("198.18.0.1", 4000, "198.18.2.4", 53), Reply: tuple("10.0.97.9", 53, "198.18.0.1", 4000), Sent: Count{1, 70}, Answered: Count{1, 200}, Began: 20},
		// What AWS does not log.
		{ID: 3, Proto: 17, Original: tuple("10.0.64.5", 4000, "10.0.0.2", 53), Reply: tuple("10.0.0.2", 53, "10.0.64.5", 4000), Sent: Count{1, 70}, Began: 20},
	}, 0, 60, false)
	same(t, table.Close(0, 60),
		"eni-a 10.0.65.3 198.18.2.4 4000 80 6 1 60 10 60 ACCEPT 0 egress OK",
		"eni-b 198.18.0.3 10.0.97.9 5000 8080 6 1 60 10 60 ACCEPT 0 ingress OK",
		"eni-b 10.0.97.9 198.18.0.1 53 4000 17 1 200 20 60 ACCEPT 0 egress OK",
		"eni-b 198.18.0.1 10.0.97.9 4000 53 17 1 70 20 60 ACCEPT 0 ingress OK",
	)
}

func TestRefused(t *testing.T) {
	var table Table
	table.SetGround(ground())
	for at := range int64(3) {
		table.Refuse(&Refused{Tuple: tuple("10.0.65.3", 4000, "10.0.97.9", 22), Proto: 6, Direction: Ingress, Bytes: 60, Flags: 2, At: 10 + at})
	}
	table.Refuse(&Refused{Tuple: tuple("10.0.65.3", 4000, "198.18.0.1", 25), Proto: 6, Direction: Egress, Bytes: 60, Flags: 2, At: 30})
	table.Refuse(&Refused{Tuple: tuple("198.18.0.1", 9, "10.0.97.9", 22), Proto: 17, Direction: Ingress, Bytes: 28, At: 40})
	same(t, table.Close(0, 60),
		"eni-a 10.0.65.3 10.0.97.9 4000 22 6 3 180 10 12 ACCEPT 2 egress OK",
		"eni-a 10.0.65.3 198.18.0.1 4000 25 6 1 60 30 30 REJECT 2 egress OK",
		"eni-b 10.0.65.3 10.0.97.9 4000 22 6 3 180 10 12 REJECT 2 ingress OK",
		"eni-b 198.18.0.1 10.0.97.9 9 22 17 1 28 40 40 REJECT 0 ingress OK",
	)
}

func TestFlags(t *testing.T) {
	var table Table
	table.SetGround(ground())
	o, r := tuple("10.0.65.3", 4000, "198.18.2.4", 80), tuple("10.0.97.9", 8080, "10.0.65.3", 4000)
	table.Flags(tuple("10.0.65.3", 4000, "10.0.97.9", 8080), 2)
	table.Flags(tuple("198.18.2.4", 80, "10.0.65.3", 4000), 18)
	table.Flags(tuple("198.18.2.4", 80, "10.0.65.3", 4000), 1)
	table.Flags(tuple("198.18.2.4", 80, "10.0.65.3", 4001), 4) // of no connection
	table.Connections([]Connection{{ID: 1, Proto: 6, Original: o, Reply: r, Sent: Count{4, 300}, Answered: Count{3, 200}, Began: 5}}, 0, 60, false)
	same(t, table.Close(0, 60),
		"eni-a 10.0.65.3 198.18.2.4 4000 80 6 4 300 5 60 ACCEPT 2 egress OK",
		"eni-a 198.18.2.4 10.0.65.3 80 4000 6 3 200 5 60 ACCEPT 19 ingress OK",
		"eni-b 10.0.65.3 10.0.97.9 4000 8080 6 4 300 5 60 ACCEPT 2 ingress OK",
		"eni-b 10.0.97.9 10.0.65.3 8080 4000 6 3 200 5 60 ACCEPT 19 egress OK",
	)
}

func TestSkipped(t *testing.T) {
	var table Table
	table.SetGround(ground())
	table.Skip()
	table.Refuse(&Refused{Tuple: tuple("198.18.0.1", 9, "10.0.97.9", 22), Proto: 17, Direction: Ingress, Bytes: 28, At: 40})
	same(t, table.Close(0, 60),
		"eni-a - - - - - - - 0 60 - - - SKIPDATA",
		"eni-b 198.18.0.1 10.0.97.9 9 22 17 1 28 40 40 REJECT 0 ingress OK",
		"eni-b - - - - - - - 0 60 - - - SKIPDATA",
	)
	same(t, table.Close(60, 120), "eni-a - - - - - - - 60 120 - - - NODATA", "eni-b - - - - - - - 60 120 - - - NODATA")
}

func BenchmarkConnections(b *testing.B) {
	var table Table
	table.SetGround(ground())
	all := make([]Connection, 10_000)
	for i := range all {
		port := uint16(i)
		all[i] = Connection{ID: uint32(i), Proto: 6, Original: tuple("10.0.65.3", port, "10.0.97.9", 80), Reply: tuple("10.0.97.9", 80, "10.0.65.3", port)}
	}
	for b.Loop() {
		for i := range all {
			all[i].Sent.Packets++
		}
		table.Connections(all, 0, 60, false)
		table.Close(0, 60)
	}
}
