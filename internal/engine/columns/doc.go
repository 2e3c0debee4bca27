// Package columns keeps log events in segments: immutable files that hold each message
// taken apart, give it back byte for byte, and are scanned by opening only what a
// query needs.
//
// # How a message is taken apart
//
// A message that is a JSON object is a template, all its bytes but the scalar values
// below it, and those values, one for each slot of the template. Few templates and many
// values make a log: audit events of a cluster have some hundred. Each slot belongs to a
// column, named as the field is (scan: user.groups.1) and told apart by whether the
// values stand in quotes. All else, text that is no object, objects with a key twice, too
// deep or too large, or when a chunk has more templates than it may, is a message with
// the template of one slot that is the whole.
//
// # How a segment lies on disk
//
// A segment is chunks of up to ChunkEvents events. A chunk keeps its values by column
// and, within a column, by template: whether an event has a field is then a property of
// its template alone, and the values of the rows of a template lie together. Times,
// streams and the order in which events came lie by arrival.
//
// A column of a chunk is one value; or numbers into a dictionary of values, which all
// chunks of a segment share, with the list of those that the chunk uses; or the values
// themselves: points in time relative to the event's, integers and UUIDs as such, text in
// compressed pages. What does not pay for a block of its own lies in the chunk's
// directory. Every block has a CRC-32C, kept where the block is referred to, and the end
// of a segment refers to all.
//
// # How it is scanned
//
// A predicate is asked once for each value of a dictionary, and chunks that use none
// that it takes are passed by. Text in messages is looked for in templates and
// dictionaries, and so are the patterns of extracts; where that can't decide, messages
// are rebuilt. Pages of text have a sieve, and UUIDs a filter, which tell what they don't
// contain. A batch is the rows of a template in a chunk or, if batches are passing, of
// all templates that have what is wanted alike. Rows that are only counted are counted by
// their numbers. What was opened stays, packed, in a Cache with a bound in bytes.
package columns
