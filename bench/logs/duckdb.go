package main

import (
	"database/sql"
	"fmt"
	"path/filepath"

	_ "github.com/duckdb/duckdb-go/v2"
)

// duck is DuckDB: with a table of its own that has the message beside all that it
// discovers in it, in the default storage or the newest (which compresses), or reading
// the file anew each time.
type duck struct {
	storage string // "", "latest" or "file"
	db      *sql.DB
	from    string
}

func (d *duck) kept(file, dir string) []string {
	if d.storage == "file" {
		return []string{file}
	}
	return []string{filepath.Join(dir, "duck.db")}
}

// reader reads the file with the types that DuckDB finds in the first 200,000 events.
func reader(file string) string {
	return fmt.Sprintf("read_ndjson_auto('%s', sample_size=200000, maximum_object_size=16777216)", file)
}

func (d *duck) load(file, dir string) error {
	if d.storage == "file" {
		return nil
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	attach := fmt.Sprintf("ATTACH '%s' AS store", d.kept(file, dir)[0])
	if d.storage != "" {
		attach += " (STORAGE_VERSION '" + d.storage + "')"
	}
	for _, line := range []string{
		attach,
		"CREATE TABLE store.logs AS SELECT m.json::VARCHAR AS message, e.* FROM read_ndjson_objects('" + file + "', maximum_object_size=16777216) m POSITIONAL JOIN " + reader(file) + " e",
		"CHECKPOINT store",
		"DETACH store",
	} {
		if _, err := db.Exec(line); err != nil {
			return fmt.Errorf("%.60s: %w", line, err)
		}
	}
	return nil
}

func (d *duck) open(file, dir string) (err error) {
	if d.db, err = sql.Open("duckdb", ""); err != nil {
		return err
	}
	d.db.SetMaxOpenConns(1)
	if d.storage == "file" {
		d.from = reader(file)
		return nil
	}
	d.from = "store.logs"
	_, err = d.db.Exec(fmt.Sprintf("ATTACH '%s' AS store (READ_ONLY)", d.kept(file, dir)[0]))
	return err
}

func (d *duck) ask(query int) (a answer, err error) {
	message := `message`
	if d.storage == "file" {
		message = "e::JSON::VARCHAR" // it keeps no text
	}
	line := []string{
		`SELECT ` + message + `, 0 FROM %s e WHERE "user".username = 'kubernetes-admin' ORDER BY stageTimestamp DESC LIMIT 10000`,
		`SELECT ` + message + `, 0 FROM %s e WHERE "user".username = 'user1' ORDER BY stageTimestamp DESC LIMIT 10000`,
		`SELECT "user".username || verb, count(*) FROM %s GROUP BY "user".username, verb`,
		`SELECT '', count(*) FROM %s e WHERE contains(` + message + `, 'secrets')`,
		`SELECT quantile_disc(took, 0.5)::VARCHAR || quantile_disc(took, 0.99)::VARCHAR, count(*) FROM (SELECT date_diff('millisecond', requestReceivedTimestamp, stageTimestamp) AS took, time_bucket(INTERVAL 5 MINUTE, stageTimestamp) AS b FROM %s) GROUP BY b`,
		`SELECT "user".username, count(*) FROM %s WHERE objectRef.resource = 'secrets' AND verb IN ('get', 'list') AND responseStatus.code >= 400 GROUP BY 1`,
		`SELECT regexp_extract(` + message + `, '"userAgent":"([^"]*)"', 1) AS agent, count(*) FROM %s e GROUP BY 1`,
		`SELECT ` + message + `, 0 FROM %s e WHERE "user".username = 'user1' ORDER BY stageTimestamp DESC LIMIT 100`,
		`SELECT ` + message + `, 0 FROM %s e WHERE auditID = '` + oneID + `'`,
	}[query]
	rows, err := d.db.Query(fmt.Sprintf(line, d.from))
	if err != nil {
		return a, err
	}
	defer rows.Close()
	var text sql.RawBytes
	for rows.Next() {
		var n int64
		if err := rows.Scan(&text, &n); err != nil {
			return a, err
		}
		a.Rows++
		a.Total += n
	}
	return a, rows.Err()
}
