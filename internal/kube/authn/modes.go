package authn

import (
	"context"
	"errors"

	"github.com/eksact/eksact/internal/engine/mapping"
)

// Modes is the Source of a whole cluster: it asks those that count in the cluster's
// authentication mode, as it is at the time of the question. Who has an access entry
// is not looked for in aws-auth.
type Modes struct {
	Mode      func() mapping.Mode
	Creator   Source // nil if creating the cluster gave no access
	Entries   Source
	ConfigMap Source
}

// Identify implements Source.
func (m Modes) Identify(ctx context.Context, c mapping.Caller, name mapping.InstanceName) (mapping.Identity, error) {
	mode := m.Mode()
	for _, source := range []struct {
		counts bool
		Source
	}{
		{mode.Creator(), m.Creator},
		{mode.AccessEntries(), m.Entries},
		{mode.ConfigMap(), m.ConfigMap},
	} {
		if !source.counts || source.Source == nil {
			continue
		}
		id, err := source.Identify(ctx, c, name)
		if !errors.Is(err, mapping.ErrNotMapped) {
			return id, err
		}
	}
	return mapping.Identity{}, mapping.ErrNotMapped
}

// AccessEntries is the Source of a cluster's access entries. It is called with a
// principal's unique id, AIDA…, AROA… or root's account, and finds its entry.
type AccessEntries func(principalID string) (mapping.AccessEntry, bool)

// Identify implements Source.
func (find AccessEntries) Identify(_ context.Context, c mapping.Caller, name mapping.InstanceName) (mapping.Identity, error) {
	entry, ok := find(c.UserID)
	if !ok {
		return mapping.Identity{}, mapping.ErrNotMapped
	}
	return entry.Identify(c, name)
}
