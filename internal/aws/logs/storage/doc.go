// Package storage is what the Logs service asks of a store of events, and the store on
// disk that answers it: logstore's groups. Forwarded brings what is there to a database
// besides, where queries are run then.
//
// Append returns when events are on disk, synced: what was acknowledged outlives a kill
// and a power cut. A batch is there as a whole or not at all, with the mark that came
// with it: where in its source the batch ends. Whoever goes on from a stream's mark
// neither loses an event nor adds one twice.
package storage
