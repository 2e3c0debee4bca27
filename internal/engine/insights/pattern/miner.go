package pattern

// Limits of a miner.
const (
	maxSkeletons     = 20_000
	maxSkeletonBytes = 64 << 20
	maxForms         = 4096
	maxValues        = 16
	maxValue         = 128 // bytes; a longer one varies
)

// Options of a miner.
type Options struct {
	// From and To, in milliseconds, are cut into so many Bins, in which messages are
	// counted for Anomalies. None are counted if Bins is 0.
	From, To int64
	Bins     int
}

// A Miner counts messages by their patterns. It serves one goroutine; what several have
// counted, Merge brings together.
type Miner struct {
	options   Options
	cutter    cutter
	key       []byte
	skeletons map[string]*skeleton
	bytes     int
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
		id, ok := p.id(s)
		if !ok {
			sk.vary(i)
			id = varying
			if p.class == number {
				p.sizes.add(s)
			}
		}
		m.key = append(m.key, id)
	}
	return sk.form(m.key)
}

// full reports whether there is no room for one more skeleton of so many bytes.
func (m *Miner) full(n int) bool {
	return len(m.skeletons) >= maxSkeletons || m.bytes+n > maxSkeletonBytes
}

func (m *Miner) newSkeleton(text string, places int) *skeleton {
	sk := &skeleton{text: text, places: make([]place, places), forms: map[string]*form{}}
	m.skeletons[text] = sk
	m.bytes += len(text)
	return sk
}

// id is a value's number in its place; false if there are too many.
func (p *place) id(s string) (byte, bool) {
	for i, v := range p.values {
		if v == s {
			return byte(i), true
		}
	}
	if len(p.values) == maxValues || len(s) > maxValue {
		return 0, false
	}
	p.values = append(p.values, string([]byte(s))) // must not keep the message alive
	return byte(len(p.values) - 1), true
}

// form is the form with these ids, in the order of the places that are counted.
func (sk *skeleton) form(ids []byte) *form {
	if f := sk.forms[string(ids)]; f != nil {
		return f
	}
	if len(sk.forms) >= maxForms {
		sk.coarsen(ids)
		return sk.form(ids)
	}
	f := &form{}
	sk.forms[string(ids)] = f
	return f
}

// coarsen lets the place with most values vary, in the ids at hand, too.
func (sk *skeleton) coarsen(ids []byte) {
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
	sk.vary(widest)
	ids[at] = varying
}

// vary stops telling the values of a place apart: forms that differed there alone become
// one.
func (sk *skeleton) vary(i int) {
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
		} else {
			sk.forms[string(key)] = f
		}
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
	for text, theirs := range other.skeletons {
		ours := m.skeletons[text]
		if ours == nil {
			if !m.full(len(text)) {
				m.skeletons[text] = theirs
				m.bytes += len(text)
				continue
			}
			m.overflow(theirs)
			continue
		}
		ours.merge(theirs)
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
		all.form(nil).add(f)
	}
}

func (sk *skeleton) merge(other *skeleton) {
	renamed := make([][]byte, 0, len(sk.places)) // of each counted place: their id → ours
	for i := range sk.places {
		ours, theirs := &sk.places[i], &other.places[i]
		if !ours.class.counted() {
			continue
		}
		ids := make([]byte, len(theirs.values))
		if theirs.varies && !ours.varies {
			sk.vary(i)
		}
		for id, v := range theirs.values {
			if !ours.varies {
				var ok bool
				if ids[id], ok = ours.id(v); ok {
					continue
				}
				sk.vary(i)
			}
			break
		}
		if ours.varies && !theirs.varies {
			other.vary(i)
		}
		if ours.varies && ours.class == number {
			ours.sizes.merge(theirs.sizes)
		}
		renamed = append(renamed, ids)
	}
	for key, f := range other.forms {
		ids := []byte(key)
		for n, id := range ids {
			if id != varying {
				ids[n] = renamed[n][id]
			}
		}
		for n, i := 0, 0; i < len(sk.places); i++ { // coarsened meanwhile
			if sk.places[i].class.counted() {
				if sk.places[i].varies {
					ids[n] = varying
				}
				n++
			}
		}
		sk.form(ids).add(f)
	}
}
