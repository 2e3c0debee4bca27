package global

import (
	"errors"
	"fmt"
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
