package cloudtrail

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const suffix = ".jsonl"

// segments is a directory of files whose names sort by age. The last is open.
type segments struct {
	dir            string
	perFile, total int64

	file   *os.File
	size   int64 // of file
	serial int   // makes names unique and ordered within one second
	old    []segment
	oldSum int64
}

type segment struct {
	name string
	size int64
}

func openSegments(dir string, perFile, total int64) (*segments, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	old, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	s := &segments{dir: dir, perFile: perFile, total: total}
	for _, one := range old {
		if one.size == 0 { // of a run in which nothing happened
			os.Remove(filepath.Join(dir, one.name))
			continue
		}
		s.old = append(s.old, one)
		s.oldSum += one.size
	}
	return s, s.begin()
}

func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), suffix) || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if os.IsNotExist(err) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, segment{entry.Name(), info.Size()})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	return list, nil
}

// begin opens the next segment, named by the time, after all others.
func (s *segments) begin() error {
	for {
		s.serial++
		name := fmt.Sprintf("%s-%06d%s", time.Now().UTC().Format("20060102T150405.000000Z"), s.serial, suffix)
		if n := len(s.old); n > 0 && name <= s.old[n-1].name {
			// The clock went back: stay behind the newest there is.
			name = strings.TrimSuffix(s.old[n-1].name, suffix) + "~" + suffix // "~" sorts after "."
		}
		file, err := os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		s.file, s.size = file, 0
		return nil
	}
}

// write appends whole lines, beginning a new segment first when the open one
// is full. It returns how many bytes are in the file.
func (s *segments) write(lines []byte) (int, error) {
	if s.file == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	n, err := s.file.Write(lines)
	if err != nil {
		// A piece of a line in the file would spoil the next: take it back.
		if n > 0 && s.file.Truncate(s.size) == nil {
			n = 0
		}
		s.size += int64(n)
		return n, err
	}
	s.size += int64(n)
	if s.size >= s.perFile {
		if err := s.close(); err != nil {
			return n, err
		}
		if err := s.begin(); err != nil {
			return n, err
		}
	}
	s.trim()
	return n, nil
}

// trim deletes the oldest segments beyond the bound on all.
func (s *segments) trim() {
	for len(s.old) > 0 && s.oldSum+s.size > s.total {
		os.Remove(filepath.Join(s.dir, s.old[0].name))
		s.oldSum -= s.old[0].size
		s.old = s.old[1:]
	}
}

// close ends the open segment, on disk.
func (s *segments) close() error {
	if s.file == nil {
		return nil
	}
	s.old = append(s.old, segment{filepath.Base(s.file.Name()), s.size})
	s.oldSum += s.size
	err := s.file.Sync()
	if closing := s.file.Close(); err == nil {
		err = closing
	}
	s.file = nil
	return err
}
