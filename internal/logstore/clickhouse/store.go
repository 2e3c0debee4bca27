package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/lower"
	"github.com/eksact/eksact/internal/version"
)

// A Store is a table of events. It is safe for concurrent use.
type Store struct{ *address }

// Open makes a store of an address; nothing is asked of the server yet.
func Open(address string) (*Store, error) {
	a, err := parse(address)
	if err != nil {
		return nil, err
	}
	return &Store{a}, nil
}

// Name tells one table from all others, and holds no secrets.
func (s *Store) Name() string { return s.server + "/" + s.database + "/" + s.table + "/" + s.cluster }

// silence is how long a server may say nothing, not even how far it is.
const silence = time.Minute

// do dials and carries one query out.
func (s *Store) do(ctx context.Context, q ch.Query) error {
	c, err := ch.Dial(ctx, ch.Options{
		Address: s.server, Database: s.database, User: s.user, Password: s.password, TLS: s.tls,
		ClientName: "eksact " + version.Version, Compression: ch.CompressionLZ4,
		DialTimeout: 10 * time.Second, HandshakeTimeout: silence, ReadTimeout: silence,
	})
	if err != nil {
		return fmt.Errorf("connect to ClickHouse at %s: %w; is its native protocol there, and are user and password right?", s.server, err)
	}
	defer c.Close()
	if err := c.Do(ctx, q); err != nil {
		return fmt.Errorf("ask ClickHouse at %s: %w", s.server, err)
	}
	return nil
}

// Init makes the table, unless it is there.
func (s *Store) Init(ctx context.Context) error {
	statements := lower.Schema(s.table)
	if s.cluster != "" {
		statements = lower.ClusterSchema(s.table, s.cluster)
	}
	for _, sql := range statements {
		if err := s.do(ctx, ch.Query{Body: sql}); err != nil {
			return fmt.Errorf("make table %s: %w", s.table, err)
		}
	}
	return nil
}

// mostBytes is how much of messages is sent at once.
const mostBytes = 32 << 20

// Append adds events, whose fields it discovers. When it returns the servers have them;
// after an error some of them may be there, and the same call can be made again.
func (s *Store) Append(ctx context.Context, rows []lower.Row) error {
	if err := s.check(rows); err != nil {
		return err
	}
	for len(rows) > 0 {
		n, size := 0, 0
		for n < len(rows) && (n == 0 || size+len(rows[n].Message) <= mostBytes) {
			size += len(rows[n].Message)
			n++
		}
		if err := s.insert(ctx, rows[:n], ""); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// AppendOnce adds events as one batch, which has a name: as long as the servers remember
// it, another batch of the same name is not added.
func (s *Store) AppendOnce(ctx context.Context, batch string, rows []lower.Row) error {
	if err := s.check(rows); err != nil {
		return err
	}
	return s.insert(ctx, rows, batch)
}

// Delete removes a log's events, or those of one of its streams. When it returns no query
// sees them.
func (s *Store) Delete(ctx context.Context, log string, stream *string) error {
	if err := s.do(ctx, ch.Query{Body: lower.Delete(lower.Table{Name: s.table, Log: log}, s.cluster, stream)}); err != nil {
		return fmt.Errorf("delete from table %s: %w", s.table, err)
	}
	return nil
}

func (s *Store) check(rows []lower.Row) error {
	for i := range rows {
		r := &rows[i]
		if r.Ptr == "" {
			return fmt.Errorf("append to table %s: event %d has no pointer", s.table, i)
		}
		for _, at := range []int64{r.Time, r.Ingested} {
			if at < lower.First || at > lower.Last {
				return fmt.Errorf("append to table %s: event %d is of %v, and ClickHouse keeps times from 1900 to 2299", s.table, i, time.UnixMilli(at).UTC())
			}
		}
	}
	return nil
}

func (s *Store) insert(ctx context.Context, rows []lower.Row, batch string) error {
	in := newInput()
	for i := range rows {
		rows[i].Fill()
		in.add(&rows[i])
	}
	q := ch.Query{Body: lower.Insert(s.table), Input: in.columns()}
	if batch != "" {
		q.Settings = append(q.Settings, ch.Setting{Key: "insert_deduplication_token", Value: batch, Important: true})
	}
	if s.cluster != "" { // wait until the shards have them
		q.Settings = append(q.Settings, ch.Setting{Key: "distributed_foreground_insert", Value: "1", Important: true})
	}
	if err := s.do(ctx, q); err != nil {
		return fmt.Errorf("append to table %s: %w", s.table, err)
	}
	return nil
}

// Source is the events of a log: account:group.
func (s *Store) Source(log string) scan.Source {
	return &source{s, lower.Table{Name: s.table, Log: log}}
}

type source struct {
	s     *Store
	table lower.Table
}

// blockRows is how many rows of an answer come at once.
const blockRows = "16384"

// Scan is scan.Source's. It yields from one goroutine, as worker 0: the servers' are those
// that work. Progress counts the rows and bytes that servers say they read.
func (x *source) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	st := lower.Lower(r, x.table)
	out := newOutput(st)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	enough := false
	err := x.s.do(ctx, ch.Query{
		Body:     st.SQL,
		Settings: []ch.Setting{{Key: "max_block_size", Value: blockRows}},
		Result:   out.results(),
		OnResult: func(ctx context.Context, _ proto.Block) error {
			block := out.block()
			if block.Rows == 0 || enough {
				return ctx.Err()
			}
			if b := st.Batch(block); b != nil {
				count(r.Progress, b)
				enough = !yield(0, b)
			}
			if enough = enough || st.Beyond(block); enough {
				stop() // the query, too
			}
			return ctx.Err()
		},
		OnProgress: func(_ context.Context, p proto.Progress) error {
			if r.Progress != nil {
				r.Progress.Records.Add(int64(p.Rows))
				r.Progress.Bytes.Add(int64(p.Bytes))
			}
			return nil
		},
	})
	if enough {
		return nil
	}
	return err
}

// count counts rows that met a request.
func count(p *scan.Progress, b *scan.Batch) {
	if p == nil {
		return
	}
	n := int64(b.Rows)
	if b.Counts != nil {
		n = 0
		for _, c := range b.Counts {
			n += c
		}
	}
	p.Matched.Add(n)
}
