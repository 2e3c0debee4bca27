// Command probe is what runs in the pods of the leak loop. It needs nothing but
// the kernel, so that it runs a few milliseconds after its container starts.
//
//	probe server           count packets by their source; "probe report" prints the counts
//	probe pod SERVER       for a second send to the server and count what comes in, then
//	                       leave the counts as the termination message
//	probe scan PREFIX…     send to every address of the prefixes, over and over
//
// Packets are TCP connections and datagrams to port 7000. Datagrams carry nothing
// that is answered: each arrival is one that was let through.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	port     = 7000
	reports  = "/tmp/report" // the server's socket; no policy reaches it
	lifetime = time.Second
	message  = "/dev/termination-log"
)

// Counts is what a pod leaves behind.
type Counts struct {
	Sent       int64 // datagrams given to the kernel
	Connected  int64 // connections to the server that were established
	Datagrams  int64 // that came in
	Arrivals   int64 // connections that came in
	FirstSeen  int64 // ms from start to the first datagram in; -1 if none
	Unsendable int64 // datagrams that the kernel refused
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "server":
		return server()
	case len(args) == 1 && args[0] == "report":
		return report()
	case len(args) == 2 && args[0] == "pod":
		return pod(args[1])
	case len(args) > 1 && args[0] == "scan":
		return scan(args[1:])
	}
	return errors.New("usage: probe server | report | pod SERVER | scan PREFIX…")
}

// listen counts what comes in, by source.
func listen(datagram, connection func(from netip.Addr)) error {
	packets, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	if err != nil {
		return err
	}
	connections, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port})
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 64)
		for {
			if _, from, err := packets.ReadFromUDPAddrPort(buf); err == nil {
				datagram(from.Addr().Unmap())
			}
		}
	}()
	go func() {
		for {
			if c, err := connections.AcceptTCP(); err == nil {
				connection(c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap())
				c.Close()
			}
		}
	}()
	return nil
}

func server() error {
	var mu sync.Mutex
	seen := map[string]int{}
	count := func(from netip.Addr) {
		mu.Lock()
		defer mu.Unlock()
		seen[from.String()]++
	}
	if err := listen(count, count); err != nil {
		return err
	}
	if err := os.MkdirAll("/tmp", 0o777); err != nil {
		return err
	}
	socket, err := net.Listen("unix", reports)
	if err != nil {
		return err
	}
	for {
		c, err := socket.Accept()
		if err != nil {
			return err
		}
		mu.Lock()
		err = json.NewEncoder(c).Encode(seen)
		mu.Unlock()
		c.Close()
		if err != nil {
			return err
		}
	}
}

func report() error {
	c, err := net.Dial("unix", reports)
	if err != nil {
		return err
	}
	_, err = os.Stdout.ReadFrom(c)
	return err
}

func pod(to string) error {
	began := time.Now()
	address, err := netip.ParseAddr(to)
	if err != nil {
		return err
	}
	var c Counts
	var datagrams, arrivals, firstSeen, connected atomic.Int64
	firstSeen.Store(-1)
	if err := listen(
		func(netip.Addr) {
			datagrams.Add(1)
			firstSeen.CompareAndSwap(-1, time.Since(began).Milliseconds())
		},
		func(netip.Addr) { arrivals.Add(1) },
	); err != nil {
		return err
	}
	go func() {
		for {
			d := net.Dialer{Timeout: 100 * time.Millisecond}
			if conn, err := d.Dial("tcp4", netip.AddrPortFrom(address, port).String()); err == nil {
				connected.Add(1)
				conn.Close()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	out, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: address.AsSlice(), Port: port})
	if err != nil {
		return err
	}
	for time.Since(began) < lifetime {
		if _, err := out.Write([]byte{1}); err != nil {
			c.Unsendable++
		} else {
			c.Sent++
		}
		time.Sleep(2 * time.Millisecond)
	}
	c.Connected, c.Datagrams, c.Arrivals, c.FirstSeen = connected.Load(), datagrams.Load(), arrivals.Load(), firstSeen.Load()
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(message, text, 0o644)
}

// scan sends without pause, one socket for all addresses.
func scan(prefixes []string) error {
	out, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return err
	}
	var all []netip.AddrPort
	for _, text := range prefixes {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		for a := prefix.Masked().Addr(); prefix.Contains(a); a = a.Next() {
			all = append(all, netip.AddrPortFrom(a, port))
		}
	}
	for {
		for i, to := range all {
			// Addresses that nobody has yet may answer with an error; that is no news.
			if _, err := out.WriteToUDPAddrPort([]byte{1}, to); err != nil && !errors.Is(err, syscall.ECONNREFUSED) &&
				!errors.Is(err, syscall.EHOSTUNREACH) && !errors.Is(err, syscall.ENETUNREACH) && !errors.Is(err, syscall.EPERM) {
				return err
			}
			if i%16 == 15 {
				time.Sleep(time.Millisecond)
			}
		}
	}
}
