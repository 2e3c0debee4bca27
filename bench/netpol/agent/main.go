// Command agent is what runs in the pods of bench/netpol.
//
//	agent pause             wait for the end
//	agent serve             say when datagrams begin and cease to arrive; accept connections
//	agent send ADDRESS      send a datagram every half a millisecond
//	agent connect ADDRESS N connect N times; the times in nanoseconds, as JSON
//	agent push ADDRESS D    send for a duration; bits a second
//
// Nothing answers the datagrams: to connection tracking each is a new flow, that
// policies have to decide on.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	datagrams = 9000
	sink      = 9001 // reads to the end
	greeter   = 9002 // closes at once
	interval  = 500 * time.Microsecond
	silence   = 50 * time.Millisecond // after which datagrams have ceased
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "pause":
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		<-ended
		return nil
	case len(args) == 1 && args[0] == "serve":
		return serve()
	case len(args) == 2 && args[0] == "send":
		return send(args[1])
	case len(args) == 3 && args[0] == "connect":
		return connect(args[1], args[2])
	case len(args) == 3 && args[0] == "push":
		return push(args[1], args[2])
	}
	return errors.New("usage: agent pause | serve | send ADDRESS | connect ADDRESS N | push ADDRESS DURATION")
}

// serve prints "start NS" with the time of the first datagram after a silence, and
// "stop NS" with that of the last one before.
func serve() error {
	for _, port := range []int{sink, greeter} {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port})
		if err != nil {
			return err
		}
		go accept(l, port == sink)
	}
	in, err := net.ListenUDP("udp4", &net.UDPAddr{Port: datagrams})
	if err != nil {
		return err
	}
	var last atomic.Int64 // time of the latest datagram, 0 in a silence
	go func() {
		for range time.Tick(silence / 5) {
			if at := last.Load(); at != 0 && time.Since(time.Unix(0, at)) > silence && last.CompareAndSwap(at, 0) {
				fmt.Println("stop", at)
			}
		}
	}()
	buf := make([]byte, 64)
	for {
		if _, _, err := in.ReadFromUDPAddrPort(buf); err != nil {
			return err
		}
		if now := time.Now().UnixNano(); last.Swap(now) == 0 {
			fmt.Println("start", now)
		}
	}
}

func accept(l *net.TCPListener, read bool) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			continue
		}
		if !read {
			c.Close()
			continue
		}
		go func() {
			defer c.Close()
			io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 1<<20))
		}()
	}
}

func send(to string) error {
	out, err := net.Dial("udp4", net.JoinHostPort(to, strconv.Itoa(datagrams)))
	if err != nil {
		return err
	}
	for {
		out.Write([]byte{1}) // refused before the server listens
		time.Sleep(interval)
	}
}

// connect times the system call alone.
func connect(to, times string) error {
	address, err := netip.ParseAddr(to)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	server := &unix.SockaddrInet4{Port: greeter, Addr: address.As4()}
	took := make([]time.Duration, n)
	for i := range took {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		began := time.Now()
		err = unix.Connect(fd, server)
		took[i] = time.Since(began)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", to, err)
		}
		// Closed by a reset: no port stays taken.
		if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return err
		}
		unix.Close(fd)
	}
	slices.Sort(took)
	return json.NewEncoder(os.Stdout).Encode(map[string]time.Duration{"p01": took[n/100], "p50": took[n/2], "p99": took[n*99/100]})
}

func push(to, duration string) error {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	out, err := net.Dial("tcp4", net.JoinHostPort(to, strconv.Itoa(sink)))
	if err != nil {
		return err
	}
	defer out.Close()
	buf := make([]byte, 256<<10)
	var sent int
	began := time.Now()
	for time.Since(began) < d {
		n, err := out.Write(buf)
		if err != nil {
			return err
		}
		sent += n
	}
	fmt.Println(int64(float64(sent) * 8 / time.Since(began).Seconds()))
	return nil
}
