package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// measure has clients send requests of one call, each its next when its last
// was answered, after a tenth of that to warm up. It tries to find the machine
// calm.
func (b *bench) measure(ctx context.Context, s *server, c call, clients int) (best result, err error) {
	if _, err := load(ctx, s.address, c, clients, b.requests/10, b.time/10); err != nil {
		return best, err
	}
	for try := range tries {
		time.Sleep(b.rest)
		r, err := b.try(ctx, s, c, clients)
		if err != nil {
			return best, err
		}
		if try == 0 || r.others < best.others {
			best = r
		}
		if best.others <= calm {
			break
		}
	}
	return best, nil
}

func (b *bench) try(ctx context.Context, s *server, c call, clients int) (result, error) {
	before, err := s.account()
	if err != nil {
		return result{}, err
	}
	took, err := load(ctx, s.address, c, clients, b.requests, b.time)
	if err != nil {
		return result{}, err
	}
	after, err := s.account()
	if err != nil {
		return result{}, err
	}
	n := len(took)
	slices.Sort(took)
	return result{
		rate: float64(n) / after.at.Sub(before.at).Seconds(),
		p50:  took[n/2].Seconds() * 1e3, p99: took[n*99/100].Seconds() * 1e3,
		cpu:    (after.server - before.server).Seconds() * 1e6 / float64(n),
		others: before.others(after),
	}, nil
}

// load sends at most n requests and returns how long each took.
func load(ctx context.Context, address string, c call, clients, n int, most time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var (
		sent  atomic.Int64
		wg    sync.WaitGroup
		lists = make([][]time.Duration, clients)
		errs  = make([]error, clients)
	)
	for i := range clients {
		wg.Go(func() {
			k := &client{address: address, answers: c.answers}
			defer k.close()
			list := make([]time.Duration, 0, n)
			for ctx.Err() == nil {
				next := sent.Add(1)
				if next > int64(n) {
					break
				}
				began := time.Now()
				if _, errs[i] = k.ask(c.requests[next%int64(len(c.requests))]); errs[i] != nil {
					cancel()
					break
				}
				list = append(list, time.Since(began))
			}
			lists[i] = list
		})
	}
	wg.Wait()
	all := slices.Concat(lists...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("nothing was measured in the time given")
	}
	return all, nil
}

// client is one connection, which is made anew when the server closes it.
type client struct {
	address string
	answers []byte // what each answer must contain
	conn    net.Conn
	buf     []byte
}

func (k *client) close() {
	if k.conn != nil {
		k.conn.Close()
		k.conn = nil
	}
}

// answerTime is how long an answer may take.
const answerTime = 10 * time.Second

// ask sends one request and reads its answer, which is valid until the next.
func (k *client) ask(request []byte) ([]byte, error) {
	if k.conn == nil {
		conn, err := net.DialTimeout("tcp", k.address, answerTime)
		if err != nil {
			return nil, err
		}
		conn.SetDeadline(time.Now().Add(5 * time.Minute)) // of the whole measurement
		k.conn = conn
	}
	if _, err := k.conn.Write(request); err != nil {
		return nil, err
	}
	answer, last, err := k.read()
	if err != nil {
		return nil, err
	}
	if last {
		k.close()
	}
	if !bytes.HasPrefix(answer[len("HTTP/1.x"):], []byte(" 200 ")) || !bytes.Contains(answer, k.answers) {
		return nil, fmt.Errorf("answered with %q", answer[:min(len(answer), 600)])
	}
	return answer, nil
}

var (
	endOfHeaders  = []byte("\r\n\r\n")
	contentLength = []byte("\nContent-Length: ")
	closing       = []byte("\nConnection: close")
)

// read reads one answer, whole, and whether it is the connection's last.
func (k *client) read() (answer []byte, last bool, err error) {
	if k.buf == nil {
		k.buf = make([]byte, 64<<10)
	}
	have, head, whole := 0, -1, -1
	for {
		n, err := k.conn.Read(k.buf[have:])
		if err != nil {
			return nil, false, fmt.Errorf("reading an answer: %w", err)
		}
		have += n
		if head < 0 {
			if head = bytes.Index(k.buf[:have], endOfHeaders); head < 0 {
				continue
			}
			length, err := lengthOf(k.buf[:head])
			if err != nil {
				return nil, false, err
			}
			whole = head + len(endOfHeaders) + length
			if whole > len(k.buf) {
				k.buf = append(k.buf, make([]byte, whole-len(k.buf))...)
			}
		}
		if have >= whole {
			return k.buf[:whole], bytes.Contains(k.buf[:head], closing), nil
		}
	}
}

func lengthOf(head []byte) (int, error) {
	at := bytes.Index(head, contentLength)
	if at < 0 {
		return 0, fmt.Errorf("an answer without a length: %q", head)
	}
	text, _, _ := bytes.Cut(head[at+len(contentLength):], []byte("\r"))
	return strconv.Atoi(string(text))
}
