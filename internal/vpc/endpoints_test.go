package vpc_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
)

// endpoint opens the cloud's control plane to these sources.
func (c *cloud) endpoint(t *testing.T, sources ...netip.Prefix) {
	t.Helper()
	e := vpc.Endpoint{ControlPlane: "demo", Public: []netip.Addr{c.api[1]}, Sources: sources}
	if err := c.SetEndpoints(context.Background(), []vpc.Endpoint{e}); err != nil {
		t.Fatal(err)
	}
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, 32) }

var anywhere = netip.MustParsePrefix("0.0.0.0/0")

// reached reports whether a connection is made within a moment. One that isn't must
// be met by silence.
func reached(t *testing.T, from, to string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	conn, err := netns.Dial(from)(ctx, "tcp4", to)
	if err == nil {
		conn.Close()
		return true
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s was refused, not dropped: %v", to, err)
	}
	return false
}

func TestEndpointsAreReachedFromTheirSources(t *testing.T) {
	c := build(t)
	beyond := netip.PrefixFrom(c.NAT().Next(), 32)
	for _, test := range []struct {
		name       string
		sources    []netip.Prefix
		host, node bool
	}{
		{"everyone", []netip.Prefix{anywhere}, true, true},
		{"the host", []netip.Prefix{single(c.Host())}, true, false},
		{"the NAT gateway", []netip.Prefix{single(c.NAT())}, false, true},
		{"another", []netip.Prefix{beyond}, false, false},
		{"both among others", []netip.Prefix{beyond, single(c.Host()), single(c.NAT())}, true, true},
		{"private addresses count for nothing", []netip.Prefix{c.VPC}, false, false},
		{"nobody", nil, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.endpoint(t, test.sources...)
			public, private := at(c.api[1], 443), at(c.api[0], 443)
			if got := reached(t, "", public); got != test.host {
				t.Errorf("from the host: %t", got)
			}
			for _, from := range []string{c.nodes[0], c.shell} {
				if got := reached(t, from, public); got != test.node {
					t.Errorf("from the VPC: %t", got)
				}
				if !reached(t, from, private) {
					t.Error("the private address is not reached from the VPC")
				}
			}
		})
	}
	if err := c.SetEndpoints(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if reached(t, "", at(c.api[1], 443)) {
		t.Error("an address that is no endpoint's was reached")
	}
}

func TestConnectionsEndWithAccess(t *testing.T) {
	c := build(t)
	c.endpoint(t, anywhere)
	host, node := dial(t, "", at(c.api[1], 443)), dial(t, c.nodes[0], at(c.api[1], 443))
	private := dial(t, c.nodes[0], at(c.api[0], 443))
	for _, conn := range []net.Conn{host, node, private} {
		greeting(t, conn)
	}
	c.endpoint(t, single(c.Host()))
	ended(t, node)
	echo(t, host)
	c.endpoint(t)
	ended(t, host)
	echo(t, private)
	if err := c.EndConnections("demo", []netip.Addr{c.api[0]}); err != nil {
		t.Fatal(err)
	}
	ended(t, private)

	// By the rules alone, at the next packet.
	c.endpoint(t, anywhere)
	for _, from := range []string{"", c.nodes[0]} {
		conn := dial(t, from, at(c.api[1], 443))
		greeting(t, conn)
		if err := c.Rules().ApplyEndpoints(c.API(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		ended(t, conn)
		c.endpoint(t, anywhere)
	}
}

// ended checks that a connection is reset before anything is sent on it.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is open: %d bytes, %v", n, err)
	}
}
