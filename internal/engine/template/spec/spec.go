package spec

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/spec.txt
var reference string

// Type is a resource type.
type Type struct {
	Name string
	// Identifier are the properties or attributes that name a resource in the registry.
	Identifier []string
	Properties []Property
	Attributes []Attribute
	// Tags is the property that holds tags, "" where there is none, TagStyle its form.
	Tags     string
	TagStyle TagStyle

	definitions [][]Property
}

// TagStyle is the form of a property that holds tags.
type TagStyle string

// The forms: a list of Key and Value, a map, a list with PropagateAtLaunch too.
const (
	TagList  TagStyle = "standard"
	TagMap   TagStyle = "map"
	TagGroup TagStyle = "asg"
)

// Property is a property of a type or of a definition within it.
type Property struct {
	Name     string
	Required bool
	Replaces Replaces
	Kind     Kind
}

// Replaces says whether a change of a property replaces the resource. Higher is
// worse.
type Replaces uint8

// Never: the resource is updated. Maybe: it depends on the value.
const (
	Never Replaces = iota
	Maybe
	Always
)

// Attribute is what Fn::GetAtt can ask.
type Attribute struct {
	Name string
	Kind Kind
}

// Kind is the type of a value.
type Kind struct {
	// Form is a letter: s, i, n, b, j, t, [ list, { map, ( either, d definition.
	Form byte
	// Of are the element of a list or map, the alternatives of an either.
	Of []Kind
	// Definition is the number of a definition.
	Definition int
}

// Find returns a type by its name.
func Find(name string) (*Type, bool) {
	t, found := loaded()[name]
	return t, found
}

// All returns all types, by name.
func All() map[string]*Type { return loaded() }

// Property returns a property by its name.
func (t *Type) Property(name string) (*Property, bool) { return find(t.Properties, name) }

// Attribute tells whether GetAtt can ask a resource of the type for a name: an
// attribute ("Arn", "Endpoint.Address"), or a property, or one within it. Whether a
// property within another is there is known when it is asked.
func (t *Type) Attribute(name string) bool {
	for _, a := range t.Attributes {
		if a.Name == name {
			return true
		}
	}
	first, _, nested := strings.Cut(name, ".")
	p, found := t.Property(first)
	return found && (!nested || p.Kind.Form == 'd' || p.Kind.Form == '{' || p.Kind.Form == 'j')
}

func find(list []Property, name string) (*Property, bool) {
	for i := range list {
		if list[i].Name == name {
			return &list[i], true
		}
	}
	return nil, false
}

// loaded reads the table once. The text is ours: if it can't be read the program
// is broken.
var loaded = sync.OnceValue(func() map[string]*Type {
	types, err := parse(reference)
	if err != nil {
		panic("embedded resource types: " + err.Error())
	}
	types["AWS::CDK::Metadata"] = &Type{Name: "AWS::CDK::Metadata", Properties: []Property{{Name: "Analytics", Kind: Kind{Form: 's'}}}}
	return types
})

func parse(text string) (map[string]*Type, error) {
	types := map[string]*Type{}
	var t *Type
	to := new([]Property)
	for number, line := range strings.Split(text, "\n") {
		f := strings.Split(line, "\t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if f[0] != "T" && t == nil {
			return nil, fmt.Errorf("line %d: %s before any type", number+1, f[0])
		}
		var err error
		switch {
		case f[0] == "T" && len(f) == 4:
			t = &Type{Name: f[1], Identifier: strings.Split(f[2], ",")}
			if style, name, found := strings.Cut(f[3], ":"); found {
				t.TagStyle, t.Tags = TagStyle(style), name
			}
			types[t.Name], to = t, &t.Properties
		case f[0] == "P" && len(f) == 4:
			p := Property{Name: f[1], Required: strings.Contains(f[2], "r")}
			switch {
			case strings.Contains(f[2], "y"):
				p.Replaces = Always
			case strings.Contains(f[2], "m"):
				p.Replaces = Maybe
			}
			p.Kind, err = kindOf(f[3])
			*to = append(*to, p)
		case f[0] == "A" && len(f) == 3:
			a := Attribute{Name: f[1]}
			a.Kind, err = kindOf(f[2])
			t.Attributes = append(t.Attributes, a)
		case f[0] == "D" && len(f) == 2 && f[1] == strconv.Itoa(len(t.definitions)):
			t.definitions = append(t.definitions, nil)
			to = &t.definitions[len(t.definitions)-1]
		default:
			err = fmt.Errorf("not understood")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", number+1, line, err)
		}
	}
	return types, nil
}

func kindOf(text string) (Kind, error) {
	k, rest, err := readKind(text)
	if err == nil && rest != "" {
		err = fmt.Errorf("more after the kind: %s", rest)
	}
	return k, err
}

func readKind(text string) (k Kind, rest string, err error) {
	if text == "" {
		return k, "", fmt.Errorf("no kind")
	}
	k.Form = text[0]
	rest = text[1:]
	switch k.Form {
	case 's', 'i', 'n', 'b', 'j', 't':
		return k, rest, nil
	case '[', '{':
		of, rest, err := readKind(rest)
		k.Of = []Kind{of}
		return k, rest, err
	case '(':
		for {
			var of Kind
			if of, rest, err = readKind(rest); err != nil {
				return k, rest, err
			}
			k.Of = append(k.Of, of)
			if strings.HasPrefix(rest, ")") {
				return k, rest[1:], nil
			}
			if !strings.HasPrefix(rest, "|") {
				return k, rest, fmt.Errorf("no end of alternatives")
			}
			rest = rest[1:]
		}
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	k.Form = 'd'
	k.Definition, err = strconv.Atoi(text[:digits])
	return k, text[digits:], err
}
