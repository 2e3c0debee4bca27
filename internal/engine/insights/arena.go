package insights

// An arena gives out slices that are good until it is reset: columns of one batch, made
// anew for each, would otherwise cost more to clear and collect than to compute.
type arena[T any] struct {
	block []T
	used  int
	off   bool // slices are kept: each is made for itself
}

// take is a slice of n items with whatever was in them.
func (a *arena[T]) take(n int) []T {
	if a.off {
		return make([]T, n)
	}
	if a.used+n > len(a.block) {
		a.block = make([]T, max(n, 2*len(a.block), 1<<12)) // those given out live on by themselves
		a.used = 0
	}
	s := a.block[a.used : a.used+n : a.used+n]
	a.used += n
	return s
}

func (a *arena[T]) reset() { a.used = 0 }
