package scan

import "context"

// All is the events of several sources, one after the other: each may use all workers.
func All(sources ...Source) Source {
	if len(sources) == 1 {
		return sources[0]
	}
	return several(sources)
}

type several []Source

// Scan asks each source; one that is told to stop stops those after it, too.
func (s several) Scan(ctx context.Context, r *Request, yield func(worker int, b *Batch) bool) error {
	stopped := make([]bool, max(1, r.Workers)) // by each worker for itself
	for _, source := range s {
		err := source.Scan(ctx, r, func(worker int, b *Batch) bool {
			stopped[worker] = stopped[worker] || !yield(worker, b)
			return !stopped[worker]
		})
		if err != nil {
			return err
		}
		for _, is := range stopped {
			if is {
				return nil
			}
		}
	}
	return ctx.Err()
}
