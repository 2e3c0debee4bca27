// Command worker connects from inside a pod, many addresses at once. It takes the
// place of cyclonus's own worker in its image: the same arguments (--jobs, a JSON
// of worker.Batch) and the same output (a JSON of []worker.Result).
//
// cyclonus's starts agnhost connect for each request, ten at a time and failures
// twice. This one does in its own process what agnhost connect does, all at once
// and each once:
//
//   - TCP: reachable if the connection is established;
//   - UDP: reachable if anything comes back for the datagram "hostname";
//   - SCTP: reachable if the server answers the association's first packet, by hand
//     (sctp.go), for which the worker is the pods' agnhost too;
//   - the same limit of one second, and a name that can't be resolved is
//     unreachable.
//
// Each name is resolved once for all its requests.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// timeout is cyclonus's --timeout=1s; resolving is not part of it.
const (
	timeout   = time.Second
	resolving = 2 * time.Second
)

// batch, request and result are cyclonus's worker.Batch, Request and Result: that
// package brings a Kubernetes client along, which costs more to start than all
// connections take.
type batch struct {
	Namespace, Pod, Container string
	Requests                  []*request
}

type request struct {
	Key      string
	Protocol string
	Host     string
	Port     int
}

type result struct {
	Request *request
	Output  string
	Error   string
}

func main() {
	if filepath.Base(os.Args[0]) == "agnhost" {
		fmt.Fprintln(os.Stderr, "agnhost:", agnhost())
		os.Exit(1)
	}
	jobs := flag.String("jobs", "", "JSON of the requests")
	flag.Parse()
	var b batch
	if err := json.Unmarshal([]byte(*jobs), &b); err != nil {
		fmt.Fprintln(os.Stderr, "worker: --jobs:", err)
		os.Exit(2)
	}
	if err := json.NewEncoder(os.Stdout).Encode(b.run()); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func (b batch) run() []result {
	names := &resolver{}
	all := make([]result, len(b.Requests))
	var running sync.WaitGroup
	for i, r := range b.Requests {
		running.Go(func() {
			all[i].Request = r
			if err := r.connect(names); err != nil {
				all[i].Error = err.Error()
			}
		})
	}
	running.Wait()
	return all
}

func (r *request) connect(names *resolver) error {
	ip, err := names.lookup(r.Host)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(ip, strconv.Itoa(r.Port))
	switch r.Protocol {
	case "TCP":
		conn, err := net.DialTimeout("tcp", address, timeout)
		if err != nil {
			return err
		}
		return conn.Close()
	case "UDP":
		return ask(address)
	case "SCTP":
		return associate(ip, r.Port)
	}
	return errors.New("protocol " + r.Protocol + " is not supported")
}

// ask sends a datagram and waits for one in return.
func ask(address string) error {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("hostname\n")); err != nil {
		return err
	}
	n, err := conn.Read(make([]byte, 1024))
	if err == nil && n == 0 {
		return errors.New("an empty answer")
	}
	return err
}

// resolver resolves each name once.
type resolver struct{ known sync.Map }

func (r *resolver) lookup(host string) (string, error) {
	once, _ := r.known.LoadOrStore(host, sync.OnceValues(func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), resolving)
		defer cancel()
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return "", err
		}
		// As net.Dial orders them: IPv4 first where both are there.
		for _, a := range addresses {
			if !strings.Contains(a, ":") {
				return a, nil
			}
		}
		return addresses[0], nil
	}))
	return once.(func() (string, error))()
}
