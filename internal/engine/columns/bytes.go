package columns

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// errCorrupt says that bytes are not what a segment has at their place.
var errCorrupt = errors.New("the data are not what was written")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// cursor reads what was written by the append functions. After the first mistake all
// it reads is nothing, and err is set.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail() {
	c.b, c.err = nil, errCorrupt
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail()
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) uint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) int() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads a number that is at most so much.
func (c *cursor) count(most int) int {
	v := c.uint()
	if v > uint64(most) {
		c.fail()
		return 0
	}
	return int(v)
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail()
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) bytes() []byte { return c.take(c.count(len(c.b))) }

func (c *cursor) uint32() uint32 {
	b := c.take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func appendBytes[T ~string | ~[]byte](out []byte, b T) []byte {
	return append(binary.AppendUvarint(out, uint64(len(b))), b...)
}

func appendUint(out []byte, n int) []byte { return binary.AppendUvarint(out, uint64(n)) }

// A compressor compresses blocks. It isn't safe for use by several goroutines.
type compressor struct{ z *zstd.Encoder }

func newCompressor() compressor {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(1<<20), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return compressor{z}
}

// pack appends data, compressed where that helps, behind their length.
func (c compressor) pack(out, data []byte) []byte {
	out = appendUint(out, len(data))
	head := len(out)
	out = append(out, 1)
	out = c.z.EncodeAll(data, out)
	if len(out)-head-1 >= len(data) {
		out = append(append(out[:head], 0), data...)
	}
	return out
}

// decompressor serves all goroutines.
var decompressor = func() *zstd.Decoder {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.IgnoreChecksum(true), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		panic(err) // the options are constants
	}
	return z
}()

// maxBlock is the most bytes of a block before it was compressed.
const maxBlock = 256 << 20

// unpack gives back what pack was given.
func unpack(b []byte) ([]byte, error) {
	c := cursor{b: b}
	n := c.count(maxBlock)
	switch packed := c.byte(); {
	case c.err != nil:
	case packed == 0 && len(c.b) == n:
		return c.b, nil
	case packed == 1:
		// A frame can't hold a million times its length: what claims more is no frame.
		out, err := decompressor.DecodeAll(c.b, make([]byte, 0, min(n, 1<<20+len(c.b)*1024)))
		if err == nil && len(out) == n {
			return out, nil
		}
	}
	return nil, errCorrupt
}
