package insights

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
	"github.com/eksact/eksact/internal/engine/scan/memory"
)

// The oracle runs queries in the plainest way: one row after the other, rows being maps,
// all of them at once, every command when its turn comes. It shares with the engine the
// parser, values and scalar functions, which have tests of their own, and nothing else.

type oracleRow struct {
	event *memory.Event // nil after stats
	ptr   int
	cells map[string]value.Value
}

type oracle struct {
	text    string
	rows    []*oracleRow
	context function.Context
	shown   []string
	made    []string
	display bool
	grouped bool
	limit   int
	keys    []syntax.SortKey // of all sorts, as long as rows are events
	settled bool             // a command has looked at all rows
	window  window
	earlier []memory.Event // that diff compares with
	pending bool           // they are not read yet
	done    []syntax.Command
}

// at is what a name means in a row.
func (r *oracleRow) at(name string) value.Value {
	if v, ok := r.cells[name]; ok {
		return v
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '.' {
			if v, ok := r.cells[name[:i]]; ok {
				return oracleItem(v, name[i+1:])
			}
		}
	}
	if r.event == nil {
		return value.Value{}
	}
	switch name {
	case "@timestamp":
		return value.OfTime(r.event.Time)
	case "@ingestionTime":
		return value.OfTime(r.event.Ingested)
	case "@message":
		return value.OfText(r.event.Message)
	case "@logStream":
		return value.OfText(r.event.Stream)
	case "@log":
		return value.OfText("1:g")
	case "@ptr":
		return value.OfText(fmt.Sprint(r.ptr)) // queries here don't ask for it
	}
	for _, l := range scan.Discover(r.event.Message) {
		if l.Name == name {
			return value.Scanned(l.Value)
		}
	}
	return value.Value{}
}

func oracleItem(v value.Value, key string) value.Value {
	if got := v.Get(key); !got.IsNull() {
		return got
	}
	head, rest, more := strings.Cut(key, ".")
	next := v.Get(head)
	if v.Kind() == value.List {
		var i int
		if _, err := fmt.Sscanf(head, "%d", &i); err == nil {
			next = v.At(i)
		}
	}
	if more {
		return oracleItem(next, rest)
	}
	return next
}

func (o *oracle) eval(e syntax.Expr, r *oracleRow) value.Value {
	number := func(f func(x, y float64) float64, a, b value.Value) value.Value {
		x, ok := a.Number()
		y, too := b.Number()
		if !ok || !too {
			return value.Value{}
		}
		return value.OfNumber(f(x, y))
	}
	switch e := e.(type) {
	case *syntax.Field:
		return r.at(e.Name)
	case *syntax.Number:
		return value.Written(e.Text)
	case *syntax.String:
		return value.OfText(e.Text)
	case *syntax.Bool:
		return value.OfBool(e.Value)
	case *syntax.Period:
		return value.OfText(e.Text)
	case *syntax.Regex:
		return value.OfText(e.Regexp.String())
	case *syntax.Unary:
		v := o.eval(e.X, r)
		if e.Op == syntax.Not {
			return value.OfBool(!v.True())
		}
		return number(func(x, y float64) float64 { return y - x }, v, value.OfNumber(0))
	case *syntax.Like:
		s, ok := o.eval(e.X, r).Text()
		if !ok {
			return value.OfBool(false)
		}
		if re, isRegex := e.Pattern.(*syntax.Regex); isRegex {
			return value.OfBool(re.Regexp.MatchString(s) != e.Not)
		}
		return value.OfBool(strings.Contains(s, e.Pattern.(*syntax.String).Text) != e.Not)
	case *syntax.In:
		v := o.eval(e.X, r)
		if v.IsNull() || v.IsComposite() {
			return value.OfBool(false)
		}
		found := slices.ContainsFunc(e.List, func(x syntax.Expr) bool { return value.Equal(v, o.eval(x, r)) })
		return value.OfBool(found != e.Not)
	case *syntax.Binary:
		a, b := o.eval(e.X, r), o.eval(e.Y, r)
		order, ok := value.Compare(a, b)
		switch e.Op {
		case syntax.Or:
			return value.OfBool(a.True() || b.True())
		case syntax.And:
			return value.OfBool(a.True() && b.True())
		case syntax.Equal:
			return value.OfBool(value.Equal(a, b))
		case syntax.Unequal:
			return value.OfBool(value.Unequal(a, b))
		case syntax.Less:
			return value.OfBool(ok && order < 0)
		case syntax.LessEqual:
			return value.OfBool(ok && order <= 0)
		case syntax.Greater:
			return value.OfBool(ok && order > 0)
		case syntax.GreaterEqual:
			return value.OfBool(ok && order >= 0)
		case syntax.Add:
			return number(func(x, y float64) float64 { return x + y }, a, b)
		case syntax.Subtract:
			return number(func(x, y float64) float64 { return x - y }, a, b)
		case syntax.Multiply:
			return number(func(x, y float64) float64 { return x * y }, a, b)
		case syntax.Divide:
			return number(func(x, y float64) float64 { return x / y }, a, b)
		case syntax.Modulo:
			return number(math.Mod, a, b)
		case syntax.Power:
			return number(math.Pow, a, b)
		}
	case *syntax.Access:
		if f, ok := e.X.(*syntax.Field); ok && e.Index != nil && r.event != nil {
			if _, made := r.cells[f.Name]; !made {
				return r.at(f.Name + "." + e.Index.(*syntax.Number).Text)
			}
		}
		v := o.eval(e.X, r)
		if e.Index == nil {
			return oracleItem(v, e.Key)
		}
		return oracleItem(v, o.eval(e.Index, r).String())
	case *syntax.Call:
		if v, ok := r.cells[o.text[e.Start:e.End]]; ok && r.event == nil {
			return v
		}
		f, ok := function.Lookup(e.Name)
		if !ok {
			panic("no function " + e.Name)
		}
		var args []value.Value
		if f.HasImplicit(len(e.Args)) {
			args = append(args, r.at(f.Implicit))
		}
		for _, a := range e.Args {
			args = append(args, o.eval(a, r))
		}
		return f.Eval(&o.context, args)
	}
	panic(fmt.Sprintf("%T", e))
}

// run runs a query and gives its rows, fields by name=value.
func (o *oracle) run(q *syntax.Query) []string {
	o.limit = DefaultLimit
	for commands := q.Commands; len(commands) > 0; {
		n := 0
		if !o.grouped {
			n = o.models(commands)
		}
		if n == 0 {
			o.command(commands[0])
			n = 1
		}
		o.done, commands = append(o.done, commands[:n]...), commands[n:]
	}
	var columns []string
	switch {
	case o.display, len(o.shown) > 0:
		columns = o.shown
	case !o.grouped:
		columns = []string{"@timestamp", "@message"}
	}
	if !o.display {
		for _, m := range o.made {
			if !slices.Contains(columns, m) {
				columns = append(columns, m)
			}
		}
	}
	var out []string
	for _, r := range o.rows[:min(o.limit, len(o.rows))] {
		line := ""
		for _, c := range columns {
			if v := r.at(c); !v.IsNull() && c != "@ptr" {
				line += fmt.Sprintf("%s=%s|", c, v)
			}
		}
		out = append(out, line)
	}
	return out
}

func (o *oracle) show(name string) {
	if !slices.Contains(o.shown, name) {
		o.shown = append(o.shown, name)
	}
}

func (o *oracle) make(name string) {
	if !slices.Contains(o.made, name) {
		o.made = append(o.made, name)
	}
}

func (o *oracle) columns(list []syntax.Column) {
	for _, col := range list {
		for _, r := range o.rows {
			if _, isField := col.Expr.(*syntax.Field); !isField || col.Alias {
				v := o.eval(col.Expr, r)
				r.cells[col.Name] = v
			}
		}
		o.show(col.Name)
	}
}

func (o *oracle) command(c syntax.Command) {
	switch c := c.(type) {
	case *syntax.Limit:
		o.limit = c.N
	case *syntax.Filter:
		o.rows = slices.DeleteFunc(o.rows, func(r *oracleRow) bool { return !o.eval(c.Condition, r).True() })
	case *syntax.Fields:
		o.columns(c.Columns)
	case *syntax.Display:
		o.shown, o.display = nil, true
		o.columns(c.Columns)
	case *syntax.Sort:
		keys := c.Keys
		if !o.settled {
			o.keys = append(slices.Clone(c.Keys), o.keys...)
			keys = o.keys
			f, isField := keys[0].Expr.(*syntax.Field)
			oldest := isField && f.Name == "@timestamp" && !keys[0].Desc
			sort.SliceStable(o.rows, func(i, j int) bool {
				a, b := o.rows[i], o.rows[j]
				if a.event.Time != b.event.Time {
					return a.event.Time > b.event.Time
				}
				return a.ptr != b.ptr && a.ptr > b.ptr != oldest
			})
		}
		sort.SliceStable(o.rows, func(i, j int) bool {
			for _, k := range keys {
				order := value.Order(o.eval(k.Expr, o.rows[i]), o.eval(k.Expr, o.rows[j]))
				if k.Desc {
					order = -order
				}
				if order != 0 {
					return order < 0
				}
			}
			return false
		})
	case *syntax.ParseField:
		o.parse(c)
	case *syntax.Unnest:
		var out []*oracleRow
		for _, r := range o.rows {
			v := o.eval(c.Expr, r)
			if text, ok := v.Text(); ok {
				v, _ = function.ParseJSON(text)
			}
			if f, ok := c.Expr.(*syntax.Field); ok && v.IsNull() && r.event != nil {
				if _, made := r.cells[f.Name]; !made && !strings.HasPrefix(f.Name, "@") {
					whole, _ := function.ParseJSON(r.event.Message) // what is discovered are the items
					v = oracleItem(whole, f.Name)
				}
			}
			if v.Kind() != value.List || len(v.Items()) == 0 {
				old := o.eval(c.Expr, r)
				if old.IsComposite() {
					old = value.Value{}
				}
				r.cells[c.Into] = old
				out = append(out, r)
				continue
			}
			for _, item := range v.Items() {
				out = append(out, r.with(c.Into, item))
			}
		}
		o.rows = out
		o.make(c.Into)
	case *syntax.Dedup:
		seen := map[string]bool{}
		o.rows = slices.DeleteFunc(o.rows, func(r *oracleRow) bool {
			key, isNull := "", false
			for _, f := range c.Fields {
				v := o.eval(f, r)
				isNull = isNull || v.IsNull() || v.IsComposite()
				key += fmt.Sprintf("%q,", v.String())
			}
			twice := seen[key] && !isNull
			seen[key] = seen[key] || !isNull
			return twice
		})
	case *syntax.Accum:
		o.settled = true
		sum := 0.0
		for _, r := range o.rows {
			x, ok := r.at(c.Field.Name).Number()
			sum += x
			r.cells[c.As] = value.Value{}
			if ok {
				r.cells[c.As] = value.OfNumber(sum)
			}
		}
		o.make(c.As)
		if slices.Contains(o.shown, c.As) {
			o.made = o.made[:len(o.made)-1]
		}
	case *syntax.Stats:
		o.stats(c)
	default:
		panic(fmt.Sprintf("%T", c))
	}
}

func (r *oracleRow) with(name string, v value.Value) *oracleRow {
	cells := map[string]value.Value{name: v}
	for k, x := range r.cells {
		if k != name {
			cells[k] = x
		}
	}
	return &oracleRow{r.event, r.ptr, cells}
}

func (o *oracle) parse(c *syntax.ParseField) {
	var out []*oracleRow
	for _, r := range o.rows {
		text, ok := r.at(c.Field.Name).Text()
		var matches [][]string
		if ok && c.Glob != nil {
			if m := oracleGlob(syntax.GlobParts(c.Glob.Text), text); m != nil {
				matches = [][]string{m}
			}
		} else if ok {
			n := 1
			if c.Multi {
				n = -1
			}
			for _, m := range c.Regex.Regexp.FindAllStringSubmatch(text, n) {
				matches = append(matches, m[1:])
			}
		}
		if len(matches) == 0 {
			for _, as := range c.As {
				r.cells[as.Name] = value.Value{}
			}
			out = append(out, r)
		}
		for _, m := range matches {
			row := r
			for i, as := range c.As {
				row = row.with(as.Name, value.OfText(m[i]))
			}
			out = append(out, row)
		}
	}
	o.rows = out
	for _, as := range c.As {
		o.make(as.Name)
	}
}

// oracleGlob tries all ends of all wildcards, the shortest first.
func oracleGlob(parts []string, text string) []string {
	at := strings.Index(text, parts[0])
	if at < 0 {
		return nil
	}
	text = text[at+len(parts[0]):]
	var out []string
	for i, p := range parts[1:] {
		if p == "" && i == len(parts)-2 {
			return append(out, text)
		}
		end := strings.Index(text, p)
		if end < 0 {
			return nil
		}
		out = append(out, text[:end])
		text = text[end+len(p):]
	}
	return out
}

func (o *oracle) stats(c *syntax.Stats) {
	type group struct {
		keys []value.Value
		rows []*oracleRow
	}
	var groups []*group
	index := map[string]*group{}
	for _, r := range o.rows {
		var keys []value.Value
		id := ""
		for _, by := range c.By {
			v := o.eval(by.Expr, r)
			if v.IsComposite() {
				v = value.Value{}
			}
			keys = append(keys, v)
			id += fmt.Sprintf("%v%q,", v.IsNull(), v.String())
		}
		if index[id] == nil {
			index[id] = &group{keys: keys}
			groups = append(groups, index[id])
		}
		for i, k := range keys {
			if k.Kind() < index[id].keys[i].Kind() {
				index[id].keys[i] = k
			}
		}
		index[id].rows = append(index[id].rows, r)
	}
	if len(c.By) == 0 && len(groups) == 0 {
		groups = append(groups, &group{})
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		for i := range a.keys {
			order := value.Order(a.keys[i], b.keys[i])
			switch x, y := a.keys[i].Kind() == value.Time, b.keys[i].Kind() == value.Time; {
			case x && y:
				order = -order
			case x: // bins before what is no time
				order = -1
			case y:
				order = 1
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	var out []*oracleRow
	o.shown, o.made, o.display, o.grouped, o.settled = nil, nil, false, true, true
	for _, by := range c.By {
		o.show(by.Name)
	}
	for _, col := range c.Columns {
		o.show(col.Name)
	}
	for _, g := range groups {
		row := &oracleRow{cells: map[string]value.Value{}}
		for i, by := range c.By {
			row.cells[by.Name] = g.keys[i]
		}
		for _, col := range c.Columns {
			row.cells[col.Name] = o.aggregate(col.Expr, g.rows, row.cells)
		}
		out = append(out, row)
	}
	o.rows = out
}

// aggregate computes a column of stats, given those before it.
func (o *oracle) aggregate(e syntax.Expr, rows []*oracleRow, before map[string]value.Value) value.Value {
	if b, ok := e.(*syntax.Binary); ok {
		r := &oracleRow{cells: map[string]value.Value{"x": o.aggregate(b.X, rows, before), "y": o.aggregate(b.Y, rows, before)}}
		return o.eval(&syntax.Binary{Op: b.Op, X: &syntax.Field{Name: "x"}, Y: &syntax.Field{Name: "y"}}, r)
	}
	c, ok := e.(*syntax.Call)
	if !ok {
		return o.eval(e, &oracleRow{cells: before})
	}
	type timed struct {
		v  value.Value
		at int64
	}
	var all []timed
	var numbers []float64
	distinct := map[string]bool{}
	for _, r := range rows {
		v := value.OfNumber(1)
		if len(c.Args) > 0 {
			v = o.eval(c.Args[0], r)
		}
		if v.IsNull() || v.IsComposite() {
			continue
		}
		at := int64(0)
		if r.event != nil {
			at = r.event.Time
		}
		all = append(all, timed{v, at})
		distinct[v.String()] = true
		if x, ok := v.Number(); ok {
			numbers = append(numbers, x)
		}
	}
	exactly := new(big.Float).SetPrec(2000)
	for _, x := range numbers {
		exactly.Add(exactly, big.NewFloat(x))
	}
	sum, _ := exactly.Float64()
	slices.Sort(numbers)
	byKind := func(a, b timed) int { return int(a.v.Kind()) - int(b.v.Kind()) }
	byOrder := slices.Clone(all)
	slices.SortStableFunc(byOrder, byKind)
	slices.SortStableFunc(byOrder, func(a, b timed) int { return value.Order(a.v, b.v) })
	byTime := slices.Clone(byOrder)
	slices.SortStableFunc(byTime, func(a, b timed) int { return int(a.at - b.at) })
	last := func(list []timed) value.Value { // the first of those that sort last
		end := list[len(list)-1].v
		return list[slices.IndexFunc(list, func(t timed) bool { return value.Order(t.v, end) == 0 })].v
	}
	name := strings.ToLower(c.Name)
	switch name {
	case "count":
		return value.OfNumber(float64(len(all)))
	case "count_distinct":
		return value.OfNumber(float64(len(distinct)))
	}
	if len(all) == 0 {
		return value.Value{}
	}
	switch name {
	case "earliest":
		return byTime[0].v
	case "latest":
		end := byTime[len(byTime)-1].at
		return byTime[slices.IndexFunc(byTime, func(t timed) bool { return t.at == end })].v
	case "sortsfirst":
		return byOrder[0].v
	case "sortslast":
		return last(byOrder)
	case "min", "max":
		var candidates []timed
		for _, t := range byOrder {
			if _, isNumber := t.v.Number(); isNumber || len(numbers) == 0 {
				candidates = append(candidates, t)
			}
		}
		if name == "min" {
			return candidates[0].v
		}
		return last(candidates)
	}
	if len(numbers) == 0 {
		return value.Value{}
	}
	switch name {
	case "sum":
		return value.OfNumber(sum)
	case "avg":
		return value.OfNumber(sum / float64(len(numbers)))
	case "pct":
		p, _ := o.eval(c.Args[1], &oracleRow{}).Number()
		// The smallest number that at least p percent do not exceed.
		for i, x := range numbers {
			if float64(i+1) >= p/100*float64(len(numbers)) {
				return value.OfNumber(x)
			}
		}
	}
	panic(name)
}
