package columns

import (
	"bytes"
	"math/bits"
)

// A sieve says of each page of texts which three bytes one after the other are in none of
// them, in bits by their hash. A text that is looked for and has such a three is not in
// the page, which is known without opening it.
//
// It begins with a byte for whether any text has a backslash, and the logarithm of how
// many bits there are for a page.
type sieve []byte

// Bounds of sieves.
const (
	sieveHead  = 2
	sieveTexts = 4 << 10 // bytes of texts that are worth one
	sieveLeast = 8       // logarithms of bits a page
	sieveMost  = 13
	sieveShare = 8 // the texts, compressed, are at least so many times longer
)

// newSieve makes the sieve of texts, in the pages that appendPages makes of them, which take
// so many bytes; nil if it would not pay.
func newSieve(v *values, packed int) sieve {
	if len(v.text) < sieveTexts {
		return nil
	}
	s := sieve{0, sieveMost}
	for i := 0; i < v.len(); {
		page := len(s)
		s = append(s, make([]byte, 1<<sieveMost/8)...)
		for size := 0; i < v.len() && size < pageBytes; i++ {
			text := v.at(i)
			size += len(text)
			if s[0] == 0 && bytes.IndexByte(text, '\\') >= 0 {
				s[0] = 1
			}
			for ; len(text) >= 3; text = text[1:] {
				at := sieved3(text[0], text[1], text[2]) >> (32 - sieveMost)
				s[page+int(at/8)] |= 1 << (at % 8)
			}
		}
	}
	for s[1] > sieveLeast && (s.filled() < 0.3 || len(s) > packed/sieveShare) {
		s.fold()
	}
	if len(s) > packed/sieveShare || s.filled() > 0.5 {
		return nil
	}
	return bytes.Clone(s)
}

// sieved3 is a hash of three bytes, of which the high bits count.
func sieved3(a, b, c byte) uint32 {
	return (uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9e3779b1
}

// filled is which part of the bits is set.
func (s sieve) filled() float64 {
	n := 0
	for _, b := range s[sieveHead:] {
		n += bits.OnesCount8(b)
	}
	return float64(n) / float64(8*len(s[sieveHead:]))
}

// fold halves how many bits there are.
func (s *sieve) fold() {
	all := (*s)[sieveHead:]
	for i := range len(all) / 2 {
		all[i] = halved[all[2*i]] | halved[all[2*i+1]]<<4
	}
	(*s)[1]--
	*s = (*s)[:sieveHead+len(all)/2]
}

// halved has a bit for each two of a byte.
var halved = func() (h [256]byte) {
	for b := range h {
		for at := range 4 {
			if b>>(2*at)&3 != 0 {
				h[b] |= 1 << at
			}
		}
	}
	return h
}()

// readSieve takes bytes for a sieve, if they are one.
func readSieve(b []byte) sieve {
	if len(b) < sieveHead || b[1] < sieveLeast || b[1] > sieveMost || len(b[sieveHead:])%(1<<b[1]/8) != 0 {
		return nil
	}
	return b
}

// of says which pages may contain any of some texts; nil: all may.
func (s sieve) of(texts ...[]string) (pages []bool, any bool) {
	if s == nil {
		return nil, true
	}
	size := 1 << s[1] / 8
	pages = make([]bool, len(s[sieveHead:])/size)
	for _, list := range texts {
		for _, text := range list {
			for i := range pages {
				pages[i] = pages[i] || s.lets(s[sieveHead+i*size:], text)
				any = any || pages[i]
			}
		}
	}
	return pages, any
}

// lets tells whether a page, whose bits are given, may contain a text.
func (s sieve) lets(page []byte, text string) bool {
	for ; len(text) >= 3; text = text[1:] {
		at := sieved3(text[0], text[1], text[2]) >> (32 - s[1])
		if page[at/8]>>(at%8)&1 == 0 {
			return false
		}
	}
	return true
}

// ofTest says in which pages a value may pass a test.
func (s sieve) ofTest(t *textTest) (pages []bool, any bool) {
	var within []string
	if t.within != "" {
		within = []string{t.within}
	}
	return s.of(within, t.prefixes, t.suffixes, t.whole)
}

// meets tells whether a value of a kind may meet a condition.
func (s sieve) meets(c *condition, kind byte) bool {
	if s == nil || c.null || kind == quoted && s[0] != 0 {
		return true
	}
	for _, text := range c.Contains {
		if _, any := s.of([]string{text}); !any {
			return false
		}
	}
	return true
}

// sieve is that of a column's texts, if there is one.
func (k *chunk) sieve(i int) sieve { return readSieve(k.sieveBytes(i)) }

// sieveBytes are what stands for a column as its sieve, if anything does.
func (k *chunk) sieveBytes(i int) []byte {
	at, ok := k.sieves[int32(i)]
	if !ok {
		return nil
	}
	return k.s.sieve(at, cacheKey{k.s, partSieve, int32(k.number), int32(i)})
}

// sieveOf is that of a dictionary's texts, if there is one.
func (s *Segment) sieveOf(dict int) sieve {
	if s.dicts[dict].sieve == nil {
		return nil
	}
	return readSieve(s.sieve(*s.dicts[dict].sieve, cacheKey{s, partSieve, -1, int32(dict)}))
}

// sieve reads one. Without it more is opened, and nothing lost.
func (s *Segment) sieve(at block, key cacheKey) []byte {
	if at.here != nil {
		return at.here
	}
	read, _ := get(s.cache, key, func() ([]byte, int, error) {
		data, err := s.read(&at)
		return data, len(data), err
	})
	return read
}
