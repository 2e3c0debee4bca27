// Command clickhouse serves ClickHouse's native protocol on the loopback from chDB, which
// is ClickHouse's engine as a library, so that internal/logstore/clickhouse's tests run
// against a real and recent engine where no server is at hand:
//
//	npm pack @chdb/lib-linux-x64-gnu && tar xzf chdb-lib-*.tgz
//	CHDB_LIB_PATH=$PWD/package/libchdb.so go run . -listen 127.0.0.1:9123
//	EKSACT_CLICKHOUSE=clickhouse://127.0.0.1:9123 go test ./internal/logstore/clickhouse
//
// Protocol and queries are those of that package alone: no sessions, no settings. The
// module is its own, so that nothing of it is in eksact.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
)

// revision is the protocol that is spoken: the last one before columns say how they are
// serialized, which the library's Native format does not.
const revision = int(proto.FeatureCustomSerialization) - 1

func main() {
	listen := flag.String("listen", "127.0.0.1:9123", "loopback address to serve on")
	flag.Parse()
	dir, err := os.MkdirTemp("", "chdb")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	e, err := open(dir)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("serving on", l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			s := &session{engine: e, conn: c, in: proto.NewReader(c), compressor: compress.NewWriter(compress.LevelZero, compress.LZ4)}
			if err := s.serve(); err != nil && !errors.Is(err, io.EOF) {
				log.Print(err)
			}
		}()
	}
}

// A session is one connection.
type session struct {
	engine     *engine
	conn       net.Conn
	in         *proto.Reader
	version    int
	compressed bool
	compressor *compress.Writer
}

func (s *session) send(write func(b *proto.Buffer)) error {
	b := new(proto.Buffer)
	write(b)
	_, err := s.conn.Write(b.Buf)
	return err
}

func (s *session) serve() error {
	for {
		code, err := s.in.UVarInt()
		if err != nil {
			return err
		}
		switch proto.ClientCode(code) {
		case proto.ClientCodeHello:
			var hello proto.ClientHello
			if err := hello.Decode(s.in); err != nil {
				return err
			}
			s.version = min(hello.ProtocolVersion, revision)
			err = s.send(func(b *proto.Buffer) {
				h := proto.ServerHello{Name: "chDB", Major: 26, Minor: 7, Revision: revision, Timezone: "UTC", DisplayName: "chdb"}
				h.EncodeAware(b, s.version)
			})
		case proto.ClientCodePing:
			err = s.send(func(b *proto.Buffer) { proto.ServerCodePong.Encode(b) })
		case proto.ClientCodeCancel:
			return nil
		case proto.ClientCodeQuery:
			var q proto.Query
			if err := q.DecodeAware(s.in, s.version); err != nil {
				return err
			}
			s.compressed = q.Compression == proto.CompressionEnabled
			if _, _, err := s.data(); err != nil { // the end of tables that come with the query
				return err
			}
			err = s.query(q.Body)
		default:
			return fmt.Errorf("packet %d is not served", code)
		}
		if err != nil {
			return err
		}
	}
}

// data reads a block of the client's.
func (s *session) data() (proto.Block, proto.Results, error) {
	var block proto.Block
	code, err := s.in.UVarInt()
	if err == nil && proto.ClientCode(code) != proto.ClientCodeData {
		err = fmt.Errorf("packet %d comes where data are expected", code)
	}
	if err != nil {
		return block, nil, err
	}
	var head proto.ClientData
	if err := head.DecodeAware(s.in, s.version); err != nil {
		return block, nil, err
	}
	if s.compressed {
		s.in.EnableCompression()
		defer s.in.DisableCompression()
	}
	var results proto.Results
	err = block.DecodeBlock(s.in, s.version, results.Auto())
	return block, results, err
}

// block sends one.
func (s *session) block(rows int, columns proto.Input) error {
	b, body := new(proto.Buffer), new(proto.Buffer)
	proto.ServerCodeData.Encode(b)
	b.PutString("")
	block := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Rows: rows, Columns: len(columns)}
	if err := block.EncodeBlock(body, s.version, columns); err != nil {
		return err
	}
	data := body.Buf
	if s.compressed {
		if err := s.compressor.Compress(data); err != nil {
			return err
		}
		data = s.compressor.Data
	}
	b.Buf = append(b.Buf, data...)
	_, err := s.conn.Write(b.Buf)
	return err
}

// query carries one out and says how it went.
func (s *session) query(sql string) error {
	var refused error
	if table, names, ok := insertion(sql); ok {
		err := s.insert(table, names, &refused)
		if err != nil {
			return err
		}
	} else {
		refused = s.engine.query(sql, s.block)
	}
	var broken *net.OpError
	if errors.As(refused, &broken) {
		return refused
	}
	return s.send(func(b *proto.Buffer) {
		if refused == nil {
			proto.ServerCodeEndOfStream.Encode(b)
			return
		}
		proto.ServerCodeException.Encode(b)
		b.PutInt32(1)
		b.PutString("DB::Exception")
		b.PutString(refused.Error())
		b.PutString("")
		b.PutBool(false)
	})
}

// insert says what columns are like, and takes blocks of them.
func (s *session) insert(table, names string, refused *error) error {
	sample, err := s.engine.sample(table, names)
	if err != nil {
		*refused = err
		return nil
	}
	if err := s.block(0, sample); err != nil {
		return err
	}
	for {
		block, results, err := s.data()
		if err != nil {
			return err
		}
		if block.End() {
			return nil
		}
		if err := s.engine.insert(table, names, block, results); err != nil {
			*refused = err
		}
	}
}
