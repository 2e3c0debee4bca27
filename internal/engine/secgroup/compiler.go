package secgroup

import "github.com/eksact/eksact/internal/engine/ruleset"

// Compiler compiles one state after another. Its zero value has compiled nothing.
type Compiler struct{ program *ruleset.Program }

// Flush compiles a state and returns how its program differs from the last one's.
func (c *Compiler) Flush(s *State) ruleset.Delta { return c.next(Compile(s)) }

// FlushAt is Flush of CompileAt.
func (c *Compiler) FlushAt(s *State, ids []string) ruleset.Delta { return c.next(CompileAt(s, ids)) }

func (c *Compiler) next(p *ruleset.Program) ruleset.Delta {
	old := c.program
	if old == nil {
		old = &ruleset.Program{}
	}
	c.program = p
	return ruleset.Diff(old, p)
}

// Program is what was compiled last; nil before. It must not be changed.
func (c *Compiler) Program() *ruleset.Program { return c.program }
