package images

import (
	"fmt"
	"io/fs"
	"syscall"
)

// stampOf tells one version of a replaced file from the next: its inode number,
// time and size.
func stampOf(info fs.FileInfo) string {
	inode := uint64(0)
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = s.Ino
	}
	return fmt.Sprint(inode, info.ModTime().UnixNano(), info.Size())
}
