package pattern

import "slices"

// What a miner's parts cost besides their texts, roughly, in bytes.
const (
	perSkeleton = 200
	perPlace    = 64
	perForm     = 160
	perSize     = 8 * len(sizes{}.count)
)

// Size is roughly how many bytes the miner takes.
func (m *Miner) Size() int {
	size := m.bytes + m.forms*(perForm+4*m.options.Bins)
	for _, sk := range m.skeletons {
		size += perSkeleton + len(sk.places)*perPlace + len(sk.forms)*len(sk.places)
		for i := range sk.places {
			if sk.places[i].sizes != nil {
				size += perSize
			}
		}
	}
	return size
}

// Clone is a miner that has counted the same. Neither is changed by what the other counts.
func (m *Miner) Clone() *Miner {
	out := &Miner{options: m.options, skeletons: make(map[string]*skeleton, len(m.skeletons)), bytes: m.bytes, forms: m.forms, total: m.total}
	for text, sk := range m.skeletons {
		out.skeletons[text] = sk.clone()
	}
	return out
}

func (sk *skeleton) clone() *skeleton {
	out := &skeleton{text: sk.text, places: slices.Clone(sk.places), forms: make(map[string]*form, len(sk.forms))}
	for i := range out.places {
		p := &out.places[i]
		p.values = slices.Clip(p.values) // what there is of it never changes
		if p.sizes != nil {
			own := *p.sizes
			p.sizes = &own
		}
	}
	all := make([]form, 0, len(sk.forms))
	for ids, f := range sk.forms {
		all = append(all, form{f.counts, slices.Clone(f.bins)})
		out.forms[ids] = &all[len(all)-1]
	}
	return out
}
