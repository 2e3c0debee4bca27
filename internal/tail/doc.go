// Package tail follows a file that others append lines to, through renames and
// truncations, from a position that outlives its reader: whoever keeps the position of
// what was dealt with, together with it, reads each line once.
//
// Files are told apart by their inode and a hash of their first bytes, for inodes are
// used again. Two ways of rotation are understood:
//
//	renamed    audit.log becomes audit-TIME.log, names in the order of time
//	copied     kube-apiserver.log is copied to kube-apiserver.log.1 and cut to nothing
//
// The decisions are values in, values out (position.go); Follower is the shell.
package tail
