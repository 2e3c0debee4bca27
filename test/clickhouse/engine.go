package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/ClickHouse/ch-go/proto"
	chdb "github.com/chdb-io/chdb-go/chdb-purego"
)

// An engine is the library, which is asked one thing after the other.
type engine struct {
	mu   sync.Mutex
	dir  string
	conn chdb.ChdbConn
}

func open(dir string) (*engine, error) {
	conn, err := chdb.NewConnection(2, []string{"clickhouse", "--path=" + filepath.Join(dir, "data")})
	return &engine{dir: dir, conn: conn}, err
}

func (e *engine) ask(sql string) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, err := e.conn.Query(sql, "Native")
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, nil
	}
	defer r.Free()
	if err := r.Error(); err != nil {
		return nil, err
	}
	return bytes.Clone(r.Buf()), nil
}

// query hands the blocks of an answer on.
func (e *engine) query(sql string, to func(rows int, columns proto.Input) error) error {
	data, err := e.ask(sql)
	if err != nil {
		return err
	}
	return blocks(data, to)
}

func blocks(data []byte, to func(rows int, columns proto.Input) error) error {
	r := proto.NewReader(bytes.NewReader(data))
	for {
		var block proto.Block
		var results proto.Results
		switch err := block.DecodeRawBlock(r, 0, results.Auto()); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := to(block.Rows, inputOf(results)); err != nil {
			return err
		}
	}
}

// inputOf are columns that were read, to be written.
func inputOf(results proto.Results) (list proto.Input) {
	for _, c := range results {
		data := c.Data
		if auto, ok := data.(*proto.ColAuto); ok {
			list = append(list, proto.InputColumn{Name: c.Name, Data: auto.Data})
			continue
		}
		list = append(list, proto.InputColumn{Name: c.Name, Data: data.(proto.ColInput)})
	}
	return list
}

var insertInto = regexp.MustCompile("^INSERT INTO (\\S+) \\((.*)\\) VALUES$")

func insertion(sql string) (table, names string, ok bool) {
	m := insertInto.FindStringSubmatch(sql)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// sample are the columns of a table, without rows.
func (e *engine) sample(table, names string) (proto.Input, error) {
	var list proto.Input
	for _, name := range strings.Split(names, ", ") {
		column := new(proto.ColAuto)
		err := e.query(fmt.Sprintf("SELECT toString(type) AS type FROM system.columns WHERE database = currentDatabase() AND table = '%s' AND name = '%s'", strings.Trim(table, "`"), name),
			func(rows int, columns proto.Input) error {
				if rows == 0 {
					return nil
				}
				return column.Infer(proto.ColumnType(columns[0].Data.(*proto.ColStr).Row(0)))
			})
		if err != nil {
			return nil, err
		}
		if column.Data == nil {
			return nil, fmt.Errorf("table %s has no column %s", table, name)
		}
		list = append(list, proto.InputColumn{Name: name, Data: column.Data})
	}
	return list, nil
}

// insert adds a block by a file in the Native format, as an INSERT of values would: a block
// that is there already is not added.
func (e *engine) insert(table, names string, block proto.Block, results proto.Results) error {
	b := new(proto.Buffer)
	if err := block.EncodeRawBlock(b, 0, inputOf(results)); err != nil {
		return err
	}
	f, err := os.CreateTemp(e.dir, "block")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(b.Buf); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	_, err = e.ask(fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM file('%s', 'Native') ORDER BY ALL SETTINGS deduplicate_insert_select = 'force_enable'", table, names, names, f.Name()))
	return err
}
