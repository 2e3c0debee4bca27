// Package clickhouse keeps log events in ClickHouse and scans them there: the same plans
// of the query engine, on as many machines as it takes. What is asked of it in SQL is
// engine/scan/lower's to say; this package connects, sends and reads.
//
//	s, err := clickhouse.Open("clickhouse://user:password@host:9000/logs?table=events")
//	err = s.Init(ctx)             // the table, if it isn't there
//	err = s.Append(ctx, rows)     // durable as the server is
//	source := s.Source("111122223333:/aws/eks/c/cluster")
//
// Each call has a connection of its own. Times out of 1900 to 2299 are refused. A batch
// that is appended again, because it is not known what became of it, counts once as long
// as it is the same and within the server's window.
package clickhouse
