// Package logstore keeps log events in a directory: the files around engine/columns. It
// is the only writer of the directory, which a lock sees to.
//
// A group has a folder of its own. New events go to the end of its tail, a file that is
// synced to disk before Append returns; appends that wait for the disk at the same time
// share one sync. A tail that is full is followed by another and written as a segment in
// the background. Once the segment is on disk under its name, the tail is deleted. Small
// segments are merged into large ones, whose chunks share dictionaries. Segments are
// named by the numbers of their events, so that after a crash at any point the names tell
// which files are superseded. Events in tails are scanned as those in segments are, by
// making segments of them in memory when somebody asks.
//
// What can't be read, because bytes changed on disk, is told of and passed over. When the
// disk is full, Append says so and takes nothing; what was taken stays whole.
package logstore
