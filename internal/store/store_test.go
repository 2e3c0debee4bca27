package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

type account struct {
	Owner   string
	Balance int
}

func put[T any](t *testing.T, s *Store, table *Table[T], key string, v T) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *Tx) error { table.In(tx).Put(key, v); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func keys[T any](table *Table[T], prefix string) []string {
	all := []string{}
	for k := range table.List(prefix) {
		all = append(all, k)
	}
	return all
}

// each runs a test over every backing store that can be had.
func each(t *testing.T, test func(t *testing.T, open func() *Store)) {
	t.Run("memory", func(t *testing.T) {
		defer goleak.VerifyNone(t)
		m := &memory{rows: map[string]kv{}, changed: make(chan struct{})}
		var all []*Store
		defer func() {
			for _, s := range all {
				s.Close()
			}
		}()
		test(t, func() *Store { s := newStore(m); all = append(all, s); return s })
	})
	t.Run("etcd", func(t *testing.T) {
		client := startEtcd(t)
		test(t, func() *Store {
			s := NewEtcd(client, "/test/"+t.Name())
			t.Cleanup(s.Close)
			return s
		})
	})
}

func load(t *testing.T, s *Store) *Store {
	t.Helper()
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAReadAfterAnUpdateSeesIt(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := load(t, open())
		accounts := NewTable[account](s, "bank/account")
		put(t, s, accounts, "b", account{"bea", 1})
		put(t, s, accounts, "a", account{"ann", 2})
		put(t, s, accounts, "a", account{"ann", 3})
		if got, ok := accounts.Get("a"); !ok || got != (account{"ann", 3}) {
			t.Errorf("a is %v, %v", got, ok)
		}
		if got := keys(accounts, ""); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("keys %v", got)
		}
		if _, ok := accounts.Get("c"); ok {
			t.Error("found what was never put")
		}
	})
}

func TestDeletingWhatIsNotThereReturns(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := load(t, open())
		accounts := NewTable[account](s, "bank/account")
		done := make(chan error, 1)
		go func() {
			done <- s.Update(t.Context(), func(tx *Tx) error { accounts.In(tx).Delete("nobody"); return nil })
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(60 * time.Second):
			t.Error("it waits for a change that never comes")
			s.Close() // which ends the waiting
			<-done
		}
	})
}

func TestAnErrorAbortsTheWholeUpdate(t *testing.T) {
	s := NewMemory()
	defer s.Close()
	accounts := NewTable[account](s, "bank/account")
	boom := errors.New("boom")
	err := s.Update(t.Context(), func(tx *Tx) error {
		accounts.In(tx).Put("a", account{})
		return boom
	})
	if err != boom || accounts.Len() != 0 {
		t.Errorf("err %v, %d records", err, accounts.Len())
	}
}

func TestConcurrentTransfersLoseNothing(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := load(t, open())
		accounts := NewTable[account](s, "bank/account")
		const people, transfers = 4, 30
		for i := range people {
			put(t, s, accounts, strconv.Itoa(i), account{Balance: 100})
		}
		var wg sync.WaitGroup
		for i := range people {
			wg.Go(func() {
				for n := range transfers {
					from, to := strconv.Itoa(i), strconv.Itoa((i+1+n%3)%people)
					err := s.Update(t.Context(), func(tx *Tx) error {
						a, _ := accounts.In(tx).Get(from)
						b, _ := accounts.In(tx).Get(to)
						a.Balance--
						b.Balance++
						accounts.In(tx).Put(from, a)
						accounts.In(tx).Put(to, b)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		sum := 0
		for _, a := range accounts.List("") {
			sum += a.Balance
		}
		if sum != people*100 {
			t.Errorf("%d in all, want %d", sum, people*100)
		}
	})
}

func TestOfTwoCreationsOneWins(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := load(t, open())
		accounts := NewTable[account](s, "bank/account")
		exists := errors.New("exists")
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.Update(t.Context(), func(tx *Tx) error {
					if _, ok := accounts.In(tx).Get("a"); ok {
						return exists
					}
					accounts.In(tx).Put("a", account{Balance: i})
					return nil
				})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch err {
			case nil:
				won++
			case exists:
			default:
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

func TestAListIsACondition(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := load(t, open())
		accounts := NewTable[account](s, "bank/account")
		put(t, s, accounts, "x/1", account{Balance: 1})
		runs := 0
		err := s.Update(t.Context(), func(tx *Tx) error {
			runs++
			n := 0
			for range accounts.In(tx).List("x/") {
				n++
			}
			if runs == 1 { // another adds to what was just listed
				put(t, s, accounts, "x/2", account{})
			}
			accounts.In(tx).Put("count", account{Balance: n})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := accounts.Get("count"); got.Balance != 2 || runs < 2 {
			t.Errorf("counted %d in %d runs", got.Balance, runs)
		}
	})
}

func TestATransactionSeesItsOwnWrites(t *testing.T) {
	s := NewMemory()
	defer s.Close()
	accounts := NewTable[account](s, "bank/account")
	put(t, s, accounts, "a", account{Balance: 1})
	err := s.Update(t.Context(), func(tx *Tx) error {
		in := accounts.In(tx)
		in.Put("b", account{Balance: 2})
		in.Put("a", account{Balance: 3})
		var got []string
		for k, v := range in.List("") {
			got = append(got, fmt.Sprint(k, v.Balance))
		}
		if !slices.Equal(got, []string{"a3", "b2"}) {
			t.Errorf("lists %v", got)
		}
		in.Delete("a")
		if _, ok := in.Get("a"); ok {
			t.Error("a is still there")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := keys(accounts, ""); !slices.Equal(got, []string{"b"}) {
		t.Errorf("keys %v", got)
	}
}

func TestWatchersSeeEveryChangeInOrderBeforeUpdateReturns(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := load(t, open())
		accounts := NewTable[account](s, "bank/account")
		put(t, s, accounts, "a", account{Balance: 1})
		var seen []string
		stop := accounts.Watch(func(key string, old, new *account) {
			line := key
			for _, v := range []*account{old, new} {
				if v == nil {
					line += " -"
				} else {
					line += " " + strconv.Itoa(v.Balance)
				}
			}
			seen = append(seen, line)
		})
		put(t, s, accounts, "a", account{Balance: 2})
		put(t, s, accounts, "b", account{Balance: 5})
		if err := s.Update(t.Context(), func(tx *Tx) error { accounts.In(tx).Delete("a"); return nil }); err != nil {
			t.Fatal(err)
		}
		if want := []string{"a - 1", "a 1 2", "b - 5", "a 2 -"}; !slices.Equal(seen, want) {
			t.Errorf("saw %q, want %q", seen, want)
		}
		stop()
		put(t, s, accounts, "c", account{})
		if len(seen) != 4 {
			t.Error("a stopped watcher was told")
		}
	})
}

// TestARefusalComesAfterTheWatchers: who is told that a record is there finds it in the
// indexes that watchers keep, too.
func TestARefusalComesAfterTheWatchers(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := open()
		table := NewTable[account](s, "bank/accounts")
		load(t, s)
		indexed := make(chan struct{})
		table.Watch(func(string, *account, *account) {
			time.Sleep(50 * time.Millisecond)
			close(indexed)
		})
		go s.Update(t.Context(), func(tx *Tx) error { table.In(tx).Put("a", account{Owner: "a"}); return nil })
		taken := errors.New("taken")
		for {
			err := s.Update(t.Context(), func(tx *Tx) error {
				if _, there := table.In(tx).Get("a"); there {
					return taken
				}
				return nil
			})
			if err == nil {
				continue
			}
			select {
			case <-indexed:
			default:
				t.Error("refused for a record that the watchers have not seen")
			}
			return
		}
	})
}

// TestAReadIsOfOneTime: what was committed together is read together, in the moment too in
// which memory has only one of the tables.
func TestAReadIsOfOneTime(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := open()
		one, two := NewTable[account](s, "bank/one"), NewTable[account](s, "bank/two")
		load(t, s)
		ask := make(chan int, 100) // of either table, when it has changed
		pause := func(_ string, _, now *account) {
			ask <- now.Balance
			time.Sleep(2 * time.Millisecond)
		}
		one.Watch(pause)
		two.Watch(pause)
		go func() {
			for n := 1; n <= 20; n++ {
				_ = s.Update(t.Context(), func(tx *Tx) error {
					one.In(tx).Put("a", account{Balance: n})
					two.In(tx).Put("a", account{Balance: n})
					return nil
				})
			}
		}()
		refused := errors.New("refused")
		for at := 0; at < 20; at = <-ask {
			for _, want := range []error{nil, refused} {
				var a, b account
				err := s.Update(t.Context(), func(tx *Tx) error {
					a, _ = one.In(tx).Get("a")
					b, _ = two.In(tx).Get("a")
					return want
				})
				if err != want || a != b {
					t.Fatalf("%v; in one table is %v, in the other %v", err, a, b)
				}
			}
		}
	})
}

func TestASecondStoreFollowsTheFirst(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		one, two := load(t, open()), load(t, open())
		a, b := NewTable[account](one, "bank/account"), NewTable[account](two, "bank/account")
		news := make(chan string, 8)
		b.Watch(func(key string, old, new *account) { news <- key })
		put(t, one, a, "k", account{Balance: 7})
		select {
		case <-news:
		case <-time.After(60 * time.Second):
			t.Fatal("the change never arrived")
		}
		if got, _ := b.Get("k"); got.Balance != 7 {
			t.Errorf("got %v", got)
		}
	})
}

func TestATableRegisteredLateIsFilled(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		first := load(t, open())
		put(t, first, NewTable[account](first, "bank/account"), "k", account{Balance: 7})
		second := load(t, open())
		late := NewTable[account](second, "bank/account")
		if got, ok := late.Get("k"); !ok || got.Balance != 7 {
			t.Errorf("got %v, %v", got, ok)
		}
	})
}

func TestUpdateAfterCloseIsRefused(t *testing.T) {
	s := NewMemory()
	accounts := NewTable[account](s, "bank/account")
	s.Close()
	err := s.Update(context.Background(), func(tx *Tx) error { accounts.In(tx).Put("a", account{}); return nil })
	if !errors.Is(err, ErrClosed) {
		t.Errorf("err %v", err)
	}
}

func TestAReloadAppliesTheDifference(t *testing.T) {
	s := NewMemory()
	defer s.Close()
	accounts := NewTable[account](s, "bank/account")
	put(t, s, accounts, "gone", account{})
	put(t, s, accounts, "kept", account{Balance: 1})
	var seen []string
	accounts.Watch(func(key string, old, new *account) {
		if old != nil || new == nil || key == "new" {
			seen = append(seen, key)
		}
	})
	s.mu.Lock()
	s.replaceAll([]kv{
		{key: "bank/account/kept", value: []byte(`{"Balance":1}`), rev: 2},
		{key: "bank/account/new", value: []byte(`{"Balance":9}`), rev: 9},
	}, 9)
	s.mu.Unlock()
	if want := []string{"new", "gone"}; !slices.Equal(seen, want) {
		t.Errorf("watchers saw %q, want %q", seen, want)
	}
	if got := keys(accounts, ""); !slices.Equal(got, []string{"kept", "new"}) {
		t.Errorf("keys %v", got)
	}
}

func BenchmarkGet(b *testing.B) {
	s := NewMemory()
	defer s.Close()
	accounts := NewTable[account](s, "bank/account")
	_ = s.Update(b.Context(), func(tx *Tx) error {
		for i := range 10_000 {
			accounts.In(tx).Put(strconv.Itoa(i), account{Balance: i})
		}
		return nil
	})
	for i := 0; b.Loop(); i++ {
		accounts.Get(strconv.Itoa(i % 10_000))
	}
}
