package insights

import (
	"encoding/csv"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/insights/function"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// parse compiles parse: of a field of the event as an extract, which the source may push
// down to where it keeps the text's parts, of other columns as a function.
func (s *scope) parse(e *syntax.ParseField) {
	in := s.resolve(e.Field.Name)
	if e.Mode != "" {
		s.parseMode(e, in)
		return
	}
	x := s.extract(e)
	if in.kind == leaf && slices.Contains(pushed, s.c.plan.leaves[in.leaf].field) {
		x.Field = s.c.plan.leaves[in.leaf].field
		s.c.plan.extracts = append(s.c.plan.extracts, x)
		for i, as := range e.As {
			l := s.c.addLeaf(leafInfo{extract: len(s.c.plan.extracts) - 1, group: i})
			s.make(as.Name, s.c.leaf(l))
		}
		return
	}
	s.spread(e.As, s.c.call(func(a []value.Value) value.Value {
		text, ok := a[0].Text()
		out := make([]string, x.Columns())
		if !ok || !x.Apply(text, out) {
			return value.Value{}
		}
		return texts(out)
	}, in))
}

// pushed are the fields that are texts in all events. Others are taken apart here, once
// for each value of a dictionary, since true and false are texts of their own to queries.
var pushed = []string{message, "@logStream", "@log"}

// spread gives the items of a list names.
func (s *scope) spread(names []syntax.Field, list *node) {
	for i, as := range names {
		s.make(as.Name, s.c.call(func(a []value.Value) value.Value { return a[0].At(i) }, list))
	}
}

func texts(list []string) value.Value {
	items := make([]value.Value, len(list))
	for i, t := range list {
		items[i] = value.OfText(t)
	}
	return value.OfList(items)
}

// extract is how parse takes a text apart. Names after "as" stand for groups by their
// order; without them, named groups are meant.
func (s *scope) extract(e *syntax.ParseField) scan.Extract {
	if e.Glob != nil {
		return scan.Extract{Glob: syntax.GlobParts(e.Glob.Text)}
	}
	ctx, re := s.c.ctx, e.Regex.Regexp
	x := scan.Extract{Regexp: re.Regexp, Find: func(text string) []int { return re.Find(ctx, text) }}
	named := e.As[0].Span == e.Regex.Span
	for g, name := range e.Regex.Regexp.SubexpNames() {
		if g > 0 && (!named || name != "") && len(x.Groups) < len(e.As) {
			x.Groups = append(x.Groups, g)
		}
	}
	return x
}

// parseMode compiles parse f logfmt as m and parse f csv as a, b.
func (s *scope) parseMode(e *syntax.ParseField, in *node) {
	if e.Mode == "logfmt" {
		s.make(e.As[0].Name, s.c.call(func(a []value.Value) value.Value {
			text, ok := a[0].Text()
			if !ok {
				return value.Value{}
			}
			return logfmt(text)
		}, in))
		return
	}
	s.spread(e.As, s.c.call(func(a []value.Value) value.Value {
		text, ok := a[0].Text()
		if !ok {
			return value.Value{}
		}
		r := csv.NewReader(strings.NewReader(text))
		r.LazyQuotes, r.TrimLeadingSpace, r.FieldsPerRecord = true, true, -1
		record, err := r.Read()
		if err != nil {
			return value.Value{}
		}
		return texts(record)
	}, in))
}

// logfmt reads key=value pairs; null if there are none. A key without a value is true.
func logfmt(text string) value.Value {
	var keys []string
	var items []value.Value
	for text = strings.TrimLeft(text, " \t\r\n"); text != ""; text = strings.TrimLeft(text, " \t\r\n") {
		end := strings.IndexAny(text, "= \t\r\n")
		if end < 0 {
			end = len(text)
		}
		key := text[:end]
		text = text[end:]
		if key == "" { // an equals sign without a key
			text = text[1:]
			continue
		}
		v := value.OfBool(true)
		if strings.HasPrefix(text, "=") {
			var got string
			got, text = logfmtValue(text[1:])
			v = value.OfText(got)
		}
		keys, items = append(keys, key), append(items, v)
	}
	if len(keys) == 0 {
		return value.Value{}
	}
	return value.OfMap(keys, items)
}

// logfmtValue reads a value, in quotation marks or up to white space.
func logfmtValue(text string) (v, rest string) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, " \t\r\n")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:]
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:]
		case c == '\\' && i+1 < len(text):
			i++
			switch text[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// json compiles json field=f "a.b" as x.
func (s *scope) json(e *syntax.JSON) {
	parsed := s.c.call(func(a []value.Value) value.Value {
		text, ok := a[0].Text()
		if !ok {
			return a[0] // a map, perhaps
		}
		v, _ := function.ParseJSON(text)
		return v
	}, s.resolve(e.Field.Name))
	for i, as := range e.As {
		s.make(as.Name, s.c.access(parsed, e.Paths[i].Text))
	}
}
