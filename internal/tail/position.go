package tail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Position is where a reader stands: behind the last line that it dealt with.
type Position struct {
	Inode  uint64
	Offset int64 // bytes
	// Head is how many of the file's first bytes Sum is of; 0 of a file not read yet.
	Head int64
	Sum  string
}

// headBytes is how much of a file's beginning tells it from others.
const headBytes = 512

// String writes a position as Parse reads it.
func (p Position) String() string {
	return fmt.Sprintf("%d %d %d %s", p.Inode, p.Offset, p.Head, p.Sum)
}

// Parse reads a position.
func Parse(text string) (Position, error) {
	var p Position
	_, err := fmt.Sscanf(text+" -", "%d %d %d %s", &p.Inode, &p.Offset, &p.Head, &p.Sum)
	if p.Sum == "-" {
		p.Sum = ""
	}
	if err != nil || p.Offset < 0 || p.Head < 0 || p.Head > headBytes {
		return Position{}, fmt.Errorf("%q is no position in a file", text)
	}
	return p, nil
}

// candidate is one of the files that a position may be in.
type candidate struct {
	inode uint64
	size  int64
	head  []byte // its first bytes
}

func sum(head []byte) string {
	h := sha256.Sum256(head)
	return hex.EncodeToString(h[:8])
}

// at is a position in the file.
func (c candidate) at(offset int64) Position {
	head := c.head[:min(int64(len(c.head)), offset, headBytes)]
	p := Position{Inode: c.inode, Offset: offset, Head: int64(len(head))}
	if p.Head > 0 {
		p.Sum = sum(head)
	}
	return p
}

// holds says whether the position may be in the file, its inode aside.
func (c candidate) holds(p Position) bool {
	return c.size >= p.Offset && int64(len(c.head)) >= p.Head && (p.Head == 0 || sum(c.head[:p.Head]) == p.Sum)
}

// locate finds a position's file among those there are, the oldest first. A file that
// was copied has another inode and the same beginning.
func locate(p Position, files []candidate) (int, bool) {
	for i, f := range files {
		if f.inode == p.Inode && f.holds(p) {
			return i, true
		}
	}
	if p.Head > 0 {
		for i, f := range files {
			if f.holds(p) {
				return i, true
			}
		}
	}
	return 0, false
}

// maxLine bounds a line, in bytes: of a longer one the rest is left out.
const maxLine = 1<<20 - 26

// split takes whole lines off the front of what was read. End is where the last one
// ends. Final says that nothing will follow: what is left is a line too.
func split(data []byte, final bool) (lines []string, end int) {
	for end < len(data) {
		at := bytes.IndexByte(data[end:], '\n')
		next := end + at + 1
		if at < 0 {
			if !final {
				break
			}
			at, next = len(data)-end, len(data)
		}
		if at > 0 {
			lines = append(lines, string(data[end:end+min(at, maxLine)]))
		}
		end = next
	}
	return lines, end
}
