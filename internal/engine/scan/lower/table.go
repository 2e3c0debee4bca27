package lower

import (
	"fmt"
	"math"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A Table says where events are: a table's name, with its database if that is not the
// connection's, and the log, as @log says it (account:group).
type Table struct{ Name, Log string }

// Schema are the statements that make a table on one server.
func Schema(name string) []string { return []string{create(name, "", "MergeTree", deduplicated)} }

// deduplicated makes a batch that is sent again count once.
const deduplicated = "\nSETTINGS non_replicated_deduplication_window = 1000"

// ClusterSchema are the statements that make a table on all servers of a cluster: one for
// each shard's own events, named NAME_shard and replicated, and NAME over all of them.
// Events go to shards by their pointers.
func ClusterSchema(name, cluster string) []string {
	shard := name + "_shard"
	database, table := "currentDatabase()", shard
	if at := strings.LastIndexByte(shard, '.'); at >= 0 {
		database, table = quote(shard[:at]), shard[at+1:]
	}
	return []string{
		create(shard, " ON CLUSTER "+identifier(cluster), "ReplicatedMergeTree", ""),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s ON CLUSTER %s AS %s\nENGINE = Distributed(%s, %s, %s, cityHash64(ptr))",
			identifier(name), identifier(cluster), identifier(shard), quote(cluster), database, quote(table)),
	}
}

func create(name, on, engine, settings string) string {
	return "CREATE TABLE IF NOT EXISTS " + identifier(name) + on + ` (
    log LowCardinality(String),
    stream LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    ingested DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    ptr String CODEC(ZSTD),
    message String CODEC(ZSTD(3)),
    names Array(LowCardinality(String)) CODEC(ZSTD),
    kinds Array(UInt8) CODEC(ZSTD),
    texts Array(String) CODEC(ZSTD(3)),
    numbers Array(Float64) CODEC(ZSTD),
    INDEX texts_filter texts TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ` + engine + `
PARTITION BY toYYYYMMDD(time)
ORDER BY (log, time)` + settings
}

// A Row is an event as the table has it.
type Row struct {
	Log, Stream, Ptr, Message string
	Time, Ingested            int64 // milliseconds since 1970
	Names                     []string
	Kinds                     []uint8
	Texts                     []string
	Numbers                   []float64
}

// First and Last are the times that a table can hold: 1900 to 2299.
const (
	First = -2_208_988_800_000
	Last  = 10_413_791_999_999
)

// Fill discovers the fields of a row's message.
func (r *Row) Fill() {
	r.Names, r.Kinds, r.Texts, r.Numbers = nil, nil, nil, nil
	for _, l := range scan.Discover(r.Message) {
		v := value.Scanned(l.Value)
		kind := scan.Text // also of a number beyond a float64
		switch v.Kind() {
		case value.Number:
			kind = scan.Number
		case value.Bool:
			kind = scan.Bool
		}
		number, ok := v.Number()
		if !ok {
			number = math.NaN()
		}
		r.Names, r.Kinds = append(r.Names, l.Name), append(r.Kinds, uint8(kind))
		r.Texts, r.Numbers = append(r.Texts, v.String()), append(r.Numbers, number+0) // there is one zero
	}
}

// valueOf is a value as it was filled in.
func valueOf(kind uint8, text string) scan.Value {
	switch scan.Kind(kind) {
	case scan.Text, scan.Number:
		return scan.Value{Kind: scan.Kind(kind), Text: text}
	case scan.Bool:
		if text == "1" {
			return scan.Value{Kind: scan.Bool, Text: "true"}
		}
		return scan.Value{Kind: scan.Bool, Text: "false"}
	}
	return scan.Value{}
}

var escapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`)

// quote writes a text as a literal.
func quote(s string) string { return "'" + escapes.Replace(s) + "'" }

// identifier writes a name, of which each part between dots is quoted.
func identifier(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = "`" + strings.NewReplacer("\\", `\\`, "`", "\\`").Replace(p) + "`"
	}
	return strings.Join(parts, ".")
}

// Delete is the statement that removes a log's events, or those of one of its streams: of a
// cluster's table those of its shards.
func Delete(table Table, cluster string, stream *string) string {
	name, on := identifier(table.Name), ""
	if cluster != "" {
		name, on = identifier(table.Name+"_shard"), " ON CLUSTER "+identifier(cluster)
	}
	sql := "DELETE FROM " + name + on + " WHERE log = " + quote(table.Log)
	if stream != nil {
		sql += " AND stream = " + quote(*stream)
	}
	return sql
}

// ColumnNames are the table's columns, in the order in which Insert takes them.
var ColumnNames = []string{"log", "stream", "time", "ingested", "ptr", "message", "names", "kinds", "texts", "numbers"}

// Insert is the statement that adds rows.
func Insert(table string) string {
	return "INSERT INTO " + identifier(table) + " (" + strings.Join(ColumnNames, ", ") + ") VALUES"
}
