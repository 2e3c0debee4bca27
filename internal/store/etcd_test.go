package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcdProcess is a real etcd in a folder of its own, on unix sockets.
type etcdProcess struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
}

func (e *etcdProcess) start() {
	program, _ := filepath.Abs("../../bin/etcd")
	e.cmd = exec.Command(program, "--data-dir", filepath.Join(e.dir, "data"),
		"--listen-client-urls", "unix://"+e.socket(), "--advertise-client-urls", "unix://"+e.socket(),
		"--listen-peer-urls", "unix://"+filepath.Join(e.dir, "p"), "--initial-advertise-peer-urls", "unix://"+filepath.Join(e.dir, "p"),
		"--initial-cluster", "default=unix://"+filepath.Join(e.dir, "p"), "--log-level", "error")
	e.cmd.Stderr = os.Stderr
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *etcdProcess) socket() string { return filepath.Join(e.dir, "c") }

func (e *etcdProcess) kill() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

func newEtcdProcess(t *testing.T) *etcdProcess {
	t.Helper()
	if _, err := os.Stat("../../bin/etcd"); err != nil {
		t.Skip("needs bin/etcd: run make build")
	}
	dir, err := os.MkdirTemp("", "etcd") // a socket's path must stay short
	if err != nil {
		t.Fatal(err)
	}
	e := &etcdProcess{t: t, dir: dir}
	e.start()
	t.Cleanup(func() { e.kill(); os.RemoveAll(dir) })
	return e
}

func (e *etcdProcess) client() *clientv3.Client {
	e.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + e.socket()}, Logger: zap.NewNop(), DialTimeout: 10 * time.Second})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { c.Close() })
	return c
}

func startEtcd(t *testing.T) *clientv3.Client { return newEtcdProcess(t).client() }

// Every write that was acknowledged while etcd was killed again and again is
// there afterwards, and none was refused or applied twice.
func TestKillingEtcdLosesAndDoublesNothing(t *testing.T) {
	e := newEtcdProcess(t)
	s := NewEtcd(e.client(), "/test")
	defer s.Close()
	load(t, s)
	accounts := NewTable[account](s, "bank/account")
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()

	stop := make(chan struct{})
	var wg sync.WaitGroup
	acknowledged := make([]int, 4)
	for w := range acknowledged {
		wg.Go(func() {
			key := strconv.Itoa(w)
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := s.Update(ctx, func(tx *Tx) error {
					a, _ := accounts.In(tx).Get(key)
					a.Balance++
					accounts.In(tx).Put(key, a)
					_, taken := accounts.In(tx).Get(key + "/" + strconv.Itoa(a.Balance))
					if taken {
						return errors.New("a write was applied twice")
					}
					accounts.In(tx).Put(key+"/"+strconv.Itoa(a.Balance), account{})
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged[w]++
			}
		})
	}
	for range 3 {
		time.Sleep(300 * time.Millisecond) // let the writers run
		e.kill()
		e.start()
	}
	time.Sleep(500 * time.Millisecond)
	close(stop)
	wg.Wait()
	for w, n := range acknowledged {
		got, _ := accounts.Get(strconv.Itoa(w))
		if got.Balance != n || n == 0 {
			t.Errorf("writer %d: %d acknowledged, %d stored", w, n, got.Balance)
		}
	}
}
