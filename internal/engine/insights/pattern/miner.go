package pattern

import (
	"maps"
	"slices"
	"strings"
)

// Limits of a miner.
const (
	maxSkeletons = 20_000
	maxBytes     = 64 << 20 // of skeletons and values
	maxForms     = 4096     // of a skeleton
	maxAllForms  = 200_000
	fewForms     = 16 // of a skeleton, once all are too many
	maxValues    = 16
	maxValue     = 128 // bytes; a longer one varies
)

// Options of a miner.
type Options struct {
	// From and To, in milliseconds, are cut into so many Bins, in which messages are
	// counted for Anomalies. None are counted if Bins is 0.
	From, To int64
	Bins     int
	// Beside is how many miners count parts of the same messages at once: together they
	// hold what two do.
	Beside int
}

// most is a miner's part of a limit.
func (o Options) most(limit int) int { return limit * 2 / max(2, o.Beside) }

// A Miner counts messages by their patterns. It serves one goroutine; what several have
// counted, Merge brings together.
type Miner struct {
	options   Options
	cutter    cutter
	key       []byte
	skeletons map[string]*skeleton
	bytes     int // of skeletons and values
	forms     int
	total     counts
}

// counts are of the messages of the time asked about, and of the time before that they
// are compared with.
type counts struct{ now, before int64 }

// A skeleton is messages that differ in their tokens alone.
type skeleton struct {
	text   string
	places []place
	forms  map[string]*form // by the ids of their values
}

// A place is where messages of a skeleton have a token.
type place struct {
	class  class
	varies bool     // its values aren't told apart: there were too many
	values []string // id → value
	sizes  *sizes   // of numbers that vary
}

// varying is the id of all values of a place that varies.
const varying = 0xff

// A form is messages of a skeleton with the same values in all places that don't vary.
type form struct {
	counts
	bins []uint32
}

// New makes a miner.
func New(o Options) *Miner {
	return &Miner{options: o, skeletons: map[string]*skeleton{}}
}

// Add counts a message n times. At is its time in milliseconds.
func (m *Miner) Add(message string, at int64, n int64) {
	f := m.form(message)
	f.now += n
	m.total.now += n
	if m.options.Bins > 0 {
		if f.bins == nil {
			f.bins = make([]uint32, m.options.Bins)
		}
		f.bins[m.bin(at)] += uint32(n)
	}
}

// AddBefore counts a message of the time that diff compares with.
func (m *Miner) AddBefore(message string, n int64) {
	m.form(message).before += n
	m.total.before += n
}

func (m *Miner) bin(at int64) int {
	span := m.options.To - m.options.From + 1
	if span <= 0 || at < m.options.From {
		return 0
	}
	return int(min(float64(m.options.Bins-1), float64(at-m.options.From)/float64(span)*float64(m.options.Bins)))
}

// form finds or makes a message's form.
func (m *Miner) form(message string) *form {
	m.cutter.cut(message)
	sk := m.skeletons[string(m.cutter.skeleton)]
	if sk == nil {
		if m.full(len(m.cutter.skeleton)) {
			m.cutter.skeleton = m.cutter.skeleton[:0]
			m.cutter.tokens = m.cutter.tokens[:0]
			m.cutter.stop(0)
			sk = m.skeletons[string(m.cutter.skeleton)]
		}
		if sk == nil {
			sk = m.newSkeleton(string(m.cutter.skeleton), len(m.cutter.tokens))
			for i, t := range m.cutter.tokens {
				sk.places[i].class = t.class
			}
		}
	}
	m.key = m.key[:0]
	for i, t := range m.cutter.tokens {
		p := &sk.places[i]
		if !p.class.counted() {
			continue
		}
		s := message[t.from:t.to]
		if p.varies {
			if p.class == number {
				p.sizes.add(s)
			}
			m.key = append(m.key, varying)
			continue
		}
		id, ok := m.id(p, s)
		if !ok {
			m.vary(sk, i)
			id = varying
			if p.class == number {
				p.sizes.add(s)
			}
		}
		m.key = append(m.key, id)
	}
	return m.formOf(sk, m.key)
}

// full reports whether there is no room for one more skeleton of so many bytes.
func (m *Miner) full(n int) bool {
	return len(m.skeletons) >= maxSkeletons || m.bytes+n > m.options.most(maxBytes)
}

func (m *Miner) newSkeleton(text string, places int) *skeleton {
	sk := &skeleton{text: text, places: make([]place, places), forms: map[string]*form{}}
	m.skeletons[text] = sk
	m.bytes += len(text)
	return sk
}

// id is a value's number in its place; false if there are too many.
func (m *Miner) id(p *place, s string) (byte, bool) {
	for i, v := range p.values {
		if v == s {
			return byte(i), true
		}
	}
	if len(s) > maxValue || len(p.values) == maxValues || len(p.values) > 0 && m.bytes > m.options.most(maxBytes) {
		return 0, false
	}
	p.values = append(p.values, strings.Clone(s)) // must not keep the message alive
	m.bytes += len(s)
	return byte(len(p.values) - 1), true
}

// formOf is the form with these ids, in the order of the places that are counted.
func (m *Miner) formOf(sk *skeleton, ids []byte) *form {
	for {
		if f := sk.forms[string(ids)]; f != nil {
			return f
		}
		most := maxForms
		if m.forms >= m.options.most(maxAllForms) {
			most = fewForms
		}
		if len(sk.forms) < most || !m.coarsen(sk, ids) {
			f := &form{}
			sk.forms[string(ids)] = f
			m.forms++
			return f
		}
	}
}

// coarsen lets the place with most values vary, in the ids at hand, too; false if all do.
func (m *Miner) coarsen(sk *skeleton, ids []byte) bool {
	widest, at, n := -1, 0, 0
	for i := range sk.places {
		p := &sk.places[i]
		if !p.class.counted() {
			continue
		}
		if !p.varies && (widest < 0 || len(p.values) > len(sk.places[widest].values)) {
			widest, at = i, n
		}
		n++
	}
	if widest < 0 {
		return false
	}
	m.vary(sk, widest)
	ids[at] = varying
	return true
}

// vary stops telling the values of a place apart: forms that differed there alone become
// one.
func (m *Miner) vary(sk *skeleton, i int) {
	p := &sk.places[i]
	n := 0
	for _, q := range sk.places[:i] {
		if q.class.counted() {
			n++
		}
	}
	p.varies = true
	if p.class == number {
		p.sizes = &sizes{}
	}
	old := sk.forms
	sk.forms = make(map[string]*form, len(old))
	for ids, f := range old {
		if id := ids[n]; id != varying && p.class == number {
			p.sizes.addN(p.values[id], f.now+f.before)
		}
		key := []byte(ids)
		key[n] = varying
		if g := sk.forms[string(key)]; g != nil {
			g.add(f)
			m.forms--
		} else {
			sk.forms[string(key)] = f
		}
	}
	for _, v := range p.values {
		m.bytes -= len(v)
	}
	p.values = nil
}

func (f *form) add(g *form) {
	f.now += g.now
	f.before += g.before
	if f.bins == nil {
		f.bins = g.bins
		return
	}
	for i, n := range g.bins {
		f.bins[i] += n
	}
}

// Merge adds what another miner with the same options has counted. The other one must
// not be used afterwards.
func (m *Miner) Merge(other *Miner) {
	m.total.now += other.total.now
	m.total.before += other.total.before
	for _, text := range slices.Sorted(maps.Keys(other.skeletons)) {
		theirs := other.skeletons[text]
		switch ours := m.skeletons[text]; {
		case ours != nil:
			m.merge(ours, other, theirs)
		case m.full(len(text)):
			m.overflow(theirs)
		default:
			m.skeletons[text] = theirs
			m.bytes += len(text)
			m.forms += len(theirs.forms)
			for i := range theirs.places {
				for _, v := range theirs.places[i].values {
					m.bytes += len(v)
				}
			}
		}
	}
}

// overflow counts a skeleton's messages as ones of which nothing is known.
func (m *Miner) overflow(sk *skeleton) {
	m.cutter.s, m.cutter.skeleton, m.cutter.tokens = "", m.cutter.skeleton[:0], m.cutter.tokens[:0]
	m.cutter.stop(0)
	text := string(m.cutter.skeleton)
	all := m.skeletons[text]
	if all == nil {
		all = m.newSkeleton(text, 1)
		all.places[0].class = rest
	}
	for _, f := range sk.forms {
		m.formOf(all, nil).add(f)
	}
}

// merge adds a skeleton of another miner to the same of this one.
func (m *Miner) merge(sk *skeleton, other *Miner, theirs *skeleton) {
	var renamed [][]byte // of each counted place: their id → ours
	for i := range sk.places {
		p, q := &sk.places[i], &theirs.places[i]
		if !p.class.counted() {
			continue
		}
		if q.varies && !p.varies {
			m.vary(sk, i)
		}
		ids := make([]byte, len(q.values))
		for id, v := range q.values {
			if p.varies {
				break
			}
			var ok bool
			if ids[id], ok = m.id(p, v); !ok {
				m.vary(sk, i)
			}
		}
		if p.varies && !q.varies {
			other.vary(theirs, i)
		}
		if p.varies && p.class == number {
			p.sizes.merge(q.sizes)
		}
		renamed = append(renamed, ids)
	}
	for key, f := range theirs.forms {
		ids, n := []byte(key), 0
		for i := range sk.places {
			p := &sk.places[i]
			if !p.class.counted() {
				continue
			}
			if p.varies { // perhaps not before this loop
				ids[n] = varying
			} else {
				ids[n] = renamed[n][ids[n]]
			}
			n++
		}
		m.formOf(sk, ids).add(f)
	}
}
