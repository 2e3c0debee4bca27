// Package storage keeps the events of log streams: what the Logs service asks of a store
// (Storage), and Files, which keeps each stream as one file of rows.
//
// A file is written at its end alone, a batch at a time, and each batch is synced to disk
// before Append returns: what was acknowledged outlives a kill and a power cut. A batch
// carries a checksum over all of it, so that one cut short by a crash is dropped as a
// whole, its mark with it. A mark is where the batch came from, a position in the file
// that was read for one: whoever goes on from a stream's mark neither loses an event nor
// adds one twice.
package storage
