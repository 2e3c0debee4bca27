package front

import (
	"context"
	"slices"

	"github.com/eksact/eksact/internal/aws/api"
)

// Asked is what the front door asks of the authorizer for a call.
type Asked struct {
	Action string
	Op     api.Operation
	Keys   api.Keys
}

// Operations lists all registered operations by "service:Operation", each with a
// function that says what a call with an input is asked for.
func (f *Front) Operations() map[string]func(ctx context.Context, in any) Asked {
	all := map[string]func(context.Context, any) Asked{}
	for _, s := range f.Services {
		for name, op := range f.services[s.ID].ops {
			all[s.Action+":"+name] = func(ctx context.Context, in any) Asked {
				return Asked{op.action, op.Operation, &callKeys{f: f, op: op, ctx: ctx, in: in}}
			}
		}
	}
	return all
}

// Sorted lists the names of operations.
func Sorted[T any](m map[string]T) []string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
