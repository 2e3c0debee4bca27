package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
)

// victoria is VictoriaLogs' storage, as a library: each event's text as _msg beside all
// fields found in it.
type victoria struct {
	storage *logstorage.Storage
}

var tenant = logstorage.TenantID{}

func (v *victoria) kept(_, dir string) []string { return []string{filepath.Join(dir, "victoria")} }

func (v *victoria) open(_, dir string) error {
	if !flag.Parsed() {
		flag.Parse() // its libraries insist
	}
	const years = 20 * 365 * 24 * time.Hour
	v.storage = logstorage.MustOpenStorage(filepath.Join(dir, "victoria"), &logstorage.StorageConfig{Retention: years, FutureRetention: years, MaxBackfillAge: years, MinFreeDiskSpaceBytes: 1})
	return nil
}

func (v *victoria) load(file, dir string) error {
	if err := v.open(file, dir); err != nil {
		return err
	}
	defer v.storage.MustClose()
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	rows := logstorage.GetLogRows([]string{"stream"}, nil, nil, nil, "")
	defer logstorage.PutLogRows(rows)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		p := logstorage.GetJSONParser()
		if err := p.ParseLogMessage(lines.Bytes(), nil, ""); err != nil {
			return err
		}
		at, err := stageTime(lines.Bytes())
		if err != nil {
			return err
		}
		fields := append(p.Fields, logstorage.Field{Name: "_msg", Value: lines.Text()}, logstorage.Field{Name: "stream", Value: "audit"})
		rows.MustAdd(tenant, at.UnixNano(), fields, -1)
		logstorage.PutJSONParser(p)
		if rows.NeedFlush() {
			v.storage.MustAddRows(rows)
			rows.ResetKeepSettings()
		}
	}
	v.storage.MustAddRows(rows)
	v.storage.DebugFlush()
	return lines.Err()
}

// stageTime is the event's time.
func stageTime(line []byte) (time.Time, error) {
	const key = `"stageTimestamp":"`
	_, rest, ok := bytes.Cut(line, []byte(key))
	if !ok {
		return time.Time{}, fmt.Errorf("no stageTimestamp in %.80s", line)
	}
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return time.Parse(time.RFC3339Nano, string(text))
}

func (v *victoria) ask(query int) (a answer, err error) {
	line := []string{
		`user.username:="kubernetes-admin" | sort by (_time desc) limit 10000 | fields _msg`,
		`user.username:="user1" | sort by (_time desc) limit 10000 | fields _msg`,
		`* | stats by (user.username, verb) count() n`,
		`_msg:~"secrets" | stats count() n`,
		``, // it can't subtract times that it holds as texts
		`objectRef.resource:="secrets" verb:in("get", "list") responseStatus.code:>=400 | stats by (user.username) count() n`,
		`* | extract "\"userAgent\":\"<agent>\"" from _msg | stats by (agent) count() n`,
		`user.username:="user1" | sort by (_time desc) limit 100 | fields _msg`,
		`auditID:="` + oneID + `" | fields _msg`,
	}[query]
	if line == "" {
		return a, errNotOffered
	}
	q, err := logstorage.ParseQuery(line)
	if err != nil {
		return a, err
	}
	var mu sync.Mutex
	qctx := logstorage.NewQueryContext(context.Background(), &logstorage.QueryStats{}, []logstorage.TenantID{tenant}, q, false, nil)
	err = v.storage.RunQuery(qctx, func(_ uint, b *logstorage.DataBlock) {
		mu.Lock()
		defer mu.Unlock()
		a.Rows += b.RowsCount()
		for _, c := range b.GetColumns(false) {
			if c.Name != "n" {
				continue
			}
			for _, n := range c.Values {
				count, _ := strconv.ParseInt(n, 10, 64)
				a.Total += count
			}
		}
	})
	return a, err
}
