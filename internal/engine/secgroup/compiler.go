package secgroup

import "github.com/eksact/eksact/internal/engine/ruleset"

// Compiler compiles one state after another. Its zero value has compiled nothing.
type Compiler struct{ program *ruleset.Program }

// Flush compiles a state and returns how its program differs from the last one's.
func (c *Compiler) Flush(s *State) ruleset.Delta {
	old := c.program
	if old == nil {
		old = &ruleset.Program{}
	}
	c.program = Compile(s)
	return ruleset.Diff(old, c.program)
}

// Program is what was compiled last; nil before. It must not be changed.
func (c *Compiler) Program() *ruleset.Program { return c.program }
