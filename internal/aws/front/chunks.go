package front

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/sigv4"
)

// chunks takes a body out of aws-chunked
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html):
//
//	SIZE[;chunk-signature=SIGNATURE]\r\n DATA \r\n … 0[;chunk-signature=…]\r\n
//	[NAME:VALUE\r\n … [x-amz-trailer-signature:SIGNATURE\r\n]] \r\n
//
// What is read of a chunk is passed on before its signature is known to be right:
// chunks may be large. A wrong one ends the body with an error.
type chunks struct {
	src      *bufio.Reader
	size     int64        // of all data, declared
	chain    *sigv4.Chain // nil: chunks are not signed
	trailing bool         // headers follow

	left      int64 // of the chunk
	begun     bool
	signature string
	hash      hash.Hash // of the chunk, if it is signed

	trailer map[string]string // by name in lower case
}

// Bounds of what is not data: lines of chunks, headers after them.
const (
	mostOfChunkLine = 4 << 10
	mostTrailers    = 16
)

func newChunks(src io.Reader, h http.Header) (*chunks, error) {
	size, err := strconv.ParseInt(h.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || size < 0 {
		return nil, errMissingDecodedLength
	}
	return &chunks{src: bufio.NewReaderSize(src, 64<<10), size: size, hash: sha256.New()}, nil
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.left == 0 {
		if c.begun {
			if err := c.endChunk(); err != nil {
				return 0, err
			}
		}
		if err := c.beginChunk(); err != nil {
			return 0, err
		}
		if c.left == 0 {
			return 0, c.finish()
		}
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.chain != nil {
		c.hash.Write(p[:n])
	}
	if err == io.EOF {
		err = errIncomplete
	}
	return n, err
}

// line reads one line, without its ending, which must be CRLF.
func (c *chunks) line() (string, error) {
	raw, err := c.src.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF):
		return "", errIncomplete
	case err == bufio.ErrBufferFull || err == nil && len(raw) > mostOfChunkLine:
		return "", errChunkForm
	case err != nil:
		return "", err
	}
	text, ok := bytes.CutSuffix(raw, []byte("\r\n"))
	if !ok {
		return "", errChunkForm
	}
	return string(text), nil
}

func (c *chunks) beginChunk() error {
	head, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(head, ";")
	n, err := strconv.ParseInt(size, 16, 64)
	if err != nil || n < 0 || size[0] == '+' {
		return errChunkForm
	}
	if c.signature, _ = strings.CutPrefix(extension, "chunk-signature="); c.chain != nil && c.signature == "" {
		return errChunkForm
	}
	c.left, c.begun = n, true
	c.hash.Reset()
	return nil
}

// endChunk checks what follows a chunk's data, and its signature.
func (c *chunks) endChunk() error {
	if rest, err := c.line(); err != nil || rest != "" {
		return orElse(err, errChunkForm)
	}
	return c.verify()
}

func (c *chunks) verify() error {
	if c.chain == nil {
		return nil
	}
	if err := c.chain.Chunk([sha256.Size]byte(c.hash.Sum(nil)), c.signature); err != nil {
		return say(RESTXML, badSignature, "")
	}
	return nil
}

// finish is the empty chunk and what comes after it. It returns io.EOF.
func (c *chunks) finish() error {
	if err := c.verify(); err != nil {
		return err
	}
	if err := c.readTrailer(); err != nil {
		return err
	}
	if _, err := c.src.ReadByte(); err != io.EOF {
		return orElse(err, errChunkForm)
	}
	return io.EOF
}

func (c *chunks) readTrailer() error {
	c.trailer = map[string]string{}
	var text strings.Builder
	signature := ""
	for {
		line, err := c.line()
		if err != nil {
			if errors.Is(err, errIncomplete) && !c.trailing {
				return nil // some clients leave out the last empty line
			}
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || !c.trailing || len(c.trailer) == mostTrailers {
			return errTrailer
		}
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		c.trailer[name] = value
		text.WriteString(name + ":" + value + "\n")
	}
	if c.chain == nil || !c.trailing {
		return nil
	}
	if err := c.chain.Trailer(sha256.Sum256([]byte(text.String())), signature); err != nil {
		return say(RESTXML, badSignature, "")
	}
	return nil
}

func orElse(err, otherwise error) error {
	if err == nil {
		return otherwise
	}
	return err
}
