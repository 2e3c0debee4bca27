package s3

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"strconv"
)

// polynomials of the CRCs whose values can be put together, reflected.
var polynomials = map[string]struct {
	polynomial uint64
	bits       int
}{
	"CRC32":     {crc32.IEEE, 32},
	"CRC32C":    {crc32.Castagnoli, 32},
	"CRC64NVME": {0x9a6c9329ac4bc9b5, 64},
}

// combine is the CRC of two pieces of bytes after each other, of the CRC of each
// and the length of the second: the first is shifted by that many zero bytes, which
// takes a multiplication by a matrix for each bit of the length (Mark Adler's method
// in zlib, crc32_combine).
func combine(algorithm string, first, second uint64, length int64) uint64 {
	p := polynomials[algorithm]
	var odd, even matrix
	odd[0] = p.polynomial
	for i := 1; i < p.bits; i++ {
		odd[i] = 1 << (i - 1)
	}
	even.square(&odd) // two zero bits
	odd.square(&even) // four
	for n := length; n > 0; {
		even.square(&odd)
		if n&1 != 0 {
			first = even.times(first)
		}
		if n >>= 1; n == 0 {
			break
		}
		odd.square(&even)
		if n&1 != 0 {
			first = odd.times(first)
		}
		n >>= 1
	}
	return first ^ second
}

// matrix is of bits, by columns.
type matrix [64]uint64

func (m *matrix) times(v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *matrix) square(of *matrix) {
	for i := range m {
		m[i] = of.times(of[i])
	}
}

// wholeChecksum is the checksum of an object of those of its parts.
func wholeChecksum(algorithm string, parts []Part) (string, error) {
	var sum uint64
	for _, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.Checksum.Value)
		if err != nil {
			return "", err
		}
		sum = combine(algorithm, sum, number(raw), p.Blob.Size)
	}
	if polynomials[algorithm].bits == 32 {
		return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(sum))), nil
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum)), nil
}

func number(raw []byte) (n uint64) {
	for _, b := range raw {
		n = n<<8 | uint64(b)
	}
	return n
}

// compositeChecksum is the checksum of the parts' checksums, and their number.
func compositeChecksum(algorithm string, parts []Part) (string, error) {
	h := hashOf(algorithm)
	for _, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.Checksum.Value)
		if err != nil {
			return "", err
		}
		h.Write(raw)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts)), nil
}

// hashOf the algorithms that composite checksums are made with.
func hashOf(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC32C":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "SHA1":
		return sha1.New()
	}
	return sha256.New()
}
