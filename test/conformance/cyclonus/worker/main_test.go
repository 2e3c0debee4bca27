package main

import (
	"encoding/json"
	"net"
	"reflect"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/worker"
	v1 "k8s.io/api/core/v1"
)

// TestSameWords holds the JSON to cyclonus's own types, both ways.
func TestSameWords(t *testing.T) {
	theirs := worker.Batch{Namespace: "x", Pod: "a", Container: "c", Requests: []*worker.Request{{Key: "k", Protocol: v1.ProtocolUDP, Host: "h", Port: 81}}}
	text, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	var ours batch
	if err := json.Unmarshal(text, &ours); err != nil {
		t.Fatal(err)
	}
	if want := (batch{"x", "a", "c", []*request{{"k", "UDP", "h", 81}}}); !reflect.DeepEqual(ours, want) {
		t.Errorf("got %+v, want %+v", ours, want)
	}

	text, err = json.Marshal([]result{{Request: ours.Requests[0], Error: "no"}})
	if err != nil {
		t.Fatal(err)
	}
	var back []worker.Result
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if len(back) != 1 || back[0].IsSuccess() || !reflect.DeepEqual(back[0].Request, theirs.Requests[0]) {
		t.Errorf("cyclonus reads %s", text)
	}
}

// TestConnect tries servers that answer, refuse and stay silent.
func TestConnect(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp := packets(t)
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			if string(buf[:n]) == "hostname\n" {
				udp.WriteTo([]byte("me"), from)
			}
		}
	}()
	silent := packets(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	for _, test := range []struct {
		protocol, host string
		address        net.Addr
		reachable      bool
	}{
		{"TCP", "127.0.0.1", tcp.Addr(), true},
		{"TCP", "localhost", tcp.Addr(), true},
		{"TCP", "127.0.0.1", closed.Addr(), false},
		{"TCP", "nobody.invalid", tcp.Addr(), false},
		{"UDP", "127.0.0.1", udp.LocalAddr(), true},
		{"UDP", "127.0.0.1", silent.LocalAddr(), false},
		{"SCTP", "127.0.0.1", tcp.Addr(), false},
	} {
		_, port, _ := net.SplitHostPort(test.address.String())
		var number int
		if err := json.Unmarshal([]byte(port), &number); err != nil {
			t.Fatal(err)
		}
		got := batch{Requests: []*request{{"k", test.protocol, test.host, number}}}.run()
		if (got[0].Error == "") != test.reachable {
			t.Errorf("%s %s:%s: %q, want reachable: %t", test.protocol, test.host, port, got[0].Error, test.reachable)
		}
	}
}

func packets(t *testing.T) net.PacketConn {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
