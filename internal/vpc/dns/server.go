package dns

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// maxUDP is the largest UDP answer, whatever the client allows (DNS flag day
// 2020): what is larger goes over TCP.
const maxUDP = 1232

// Config says what the server is for.
type Config struct {
	// Zones it answers for; see Zones.
	Zones []string
	// Private and Public find the nearest zone that someone else keeps and that a
	// name is in: of those that the asking address's VPC alone sees, and of those that
	// all see. Nil: there are none.
	Private func(from netip.Addr, name string) (Hosted, bool)
	Public  func(name string) (Hosted, bool)
	// Forward lists resolvers (address:port) that are asked for names of no zone.
	// They are reached from the process's own network. Empty: such names are
	// refused.
	Forward []string
}

// Server holds the names and answers for them.
type Server struct {
	forward []string
	private func(netip.Addr, string) (Hosted, bool)
	public  func(string) (Hosted, bool)
	zones   []string // canonical, sorted

	mu    sync.RWMutex
	trees [views]*tree
}

// New makes a server without names.
func New(c Config) *Server {
	s := &Server{forward: c.Forward, private: c.Private, public: c.Public}
	for _, z := range c.Zones {
		s.zones = append(s.zones, canonical(z))
	}
	slices.Sort(s.zones)
	s.zones = slices.Compact(s.zones)
	for v := range s.trees {
		s.trees[v] = newTree()
	}
	return s
}

// Set gives a name its record in a view, instead of any earlier. A name that
// begins with "*." is a wildcard.
func (s *Server) Set(name string, v View, r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trees[v].set(canonical(name), r)
}

// Addrs are the addresses that a name was given in a view.
func (s *Server) Addrs(name string, v View) (addrs []netip.Addr, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.trees[v].records[canonical(name)]
	return slices.Clone(r.Addrs), ok
}

// SetAddrs gives a name addresses in the views, with AWS's TTL.
func (s *Server) SetAddrs(name string, addrs []netip.Addr, in ...View) {
	for _, v := range in {
		s.Set(name, v, Record{Addrs: addrs})
	}
}

// SetHost gives a machine its name inside, both ways: A and PTR.
func (s *Server) SetHost(name string, addr netip.Addr) {
	s.Set(name, Inside, Record{Addrs: []netip.Addr{addr}})
	s.Set(Reverse(addr), Inside, Record{PTR: name})
}

// Delete removes a name from the views, or from both if none is named.
func (s *Server) Delete(name string, from ...View) {
	if len(from) == 0 {
		from = []View{Inside, Outside}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range from {
		s.trees[v].delete(canonical(name))
	}
}

// DeleteHost removes what SetHost made.
func (s *Server) DeleteHost(name string, addr netip.Addr) {
	s.Delete(name, Inside)
	s.Delete(Reverse(addr), Inside)
}

// ServePacket answers queries that come by pc, for one view, until ctx ends; it
// closes pc then.
func (s *Server) ServePacket(ctx context.Context, v View, pc net.PacketConn) error {
	return s.serve(ctx, v, &dns.Server{PacketConn: pc})
}

// ServeStream is ServePacket for TCP.
func (s *Server) ServeStream(ctx context.Context, v View, l net.Listener) error {
	return s.serve(ctx, v, &dns.Server{Listener: l})
}

func (s *Server) serve(ctx context.Context, v View, srv *dns.Server) error {
	srv.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { s.respond(ctx, v, w, q) })
	srv.ReadTimeout, srv.WriteTimeout = 5*time.Second, 5*time.Second
	srv.UDPSize = 4096
	started := make(chan struct{})
	srv.NotifyStartedFunc = func() { close(started) }
	errc := make(chan error, 1)
	go func() { errc <- srv.ActivateAndServe() }()
	select {
	case err := <-errc:
		return err
	case <-started:
	}
	select {
	case err := <-errc:
		return err
	case <-ctx.Done():
		// Queries under way get a moment.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.ShutdownContext(last)
		return ctx.Err()
	}
}

func (s *Server) respond(ctx context.Context, v View, w dns.ResponseWriter, q *dns.Msg) {
	from, _ := netip.ParseAddrPort(w.RemoteAddr().String())
	m, ours := s.answer(viewer{v, from.Addr().Unmap()}, q)
	if !ours && len(s.forward) > 0 && q.RecursionDesired {
		m = s.ask(ctx, q)
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = min(max(int(opt.UDPSize()), dns.MinMsgSize), maxUDP)
		}
		m.Truncate(size)
	}
	// A client that has gone is its own affair.
	_ = w.WriteMsg(m)
}

// ask forwards a query; SERVFAIL when no resolver answers.
func (s *Server) ask(ctx context.Context, q *dns.Msg) *dns.Msg {
	out := q.Copy()
	out.Id = dns.Id()
	for _, server := range s.forward {
		for _, network := range []string{"udp", "tcp"} {
			c := &dns.Client{Net: network, Timeout: 2 * time.Second, UDPSize: maxUDP}
			m, _, err := c.ExchangeContext(ctx, out, server)
			if err != nil {
				break
			}
			if m.Truncated && network == "udp" {
				continue
			}
			m.Id = q.Id
			return m
		}
	}
	m := new(dns.Msg)
	m.SetRcode(q, dns.RcodeServerFailure)
	m.RecursionAvailable = true
	return m
}
