package global

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/eksact/eksact/internal/hint"
)

// Unreadable says why a file can't be read or written, and what helps; nil stays nil.
func Unreadable(path string, err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	advice := "check its name and the folder you are in"
	if errors.Is(err, syscall.EACCES) {
		advice = "make it readable for you: chmod u+r " + path
	}
	return hint.Wrap(fmt.Errorf("%s: %w", path, err), advice)
}

// Unzipped reads what is in a file that gzip compressed, known by its first two bytes, and
// any other as it is.
func Unzipped(in io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(in, 1<<20)
	if head, err := b.Peek(2); err != nil || !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return b, nil // what is wrong comes again where it is read
	}
	return gzip.NewReader(b)
}
