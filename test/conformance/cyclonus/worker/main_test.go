package main

import (
	"encoding/json"
	"net"
	"os"
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
		{"DCCP", "127.0.0.1", tcp.Addr(), false},
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

// TestAssociate sets up an association through the loopback, and none with a port
// that nobody answers on.
func TestAssociate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("raw sockets take root")
	}
	go answer(7777)
	var got []result
	for range 20 { // until it listens
		if got = (batch{Requests: []*request{{"k", "SCTP", "127.0.0.1", 7777}, {"k", "SCTP", "127.0.0.1", 7778}}}).run(); got[0].Error == "" {
			break
		}
	}
	if got[0].Error != "" || got[1].Error == "" {
		t.Errorf("port 7777: %q, want none; port 7778: %q, want an error", got[0].Error, got[1].Error)
	}
}

// TestSetup reads what it wrote, and nothing that was altered.
func TestSetup(t *testing.T) {
	for _, kind := range []byte{chunkInit, chunkInitAck} {
		want := setup{from: 40000, to: 80, verify: 7, kind: kind, tag: 9}
		p := want.packet()
		if got, ok := parse(p); !ok || got != want {
			t.Errorf("got %+v %t, want %+v", got, ok, want)
		}
		p[3]++
		if _, ok := parse(p); ok {
			t.Error("a packet with another port has the same checksum")
		}
	}
}
