package main

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/aws/front/wire/internal/c2j"
)

// sdk is what the Go SDK's source says of one service. Struct names are
// "CreateRoleInput" for the service's package, "types.Role" for its types.
type sdk struct {
	operations []string
	structs    map[string][]goField
	enums      map[string][]string // "types.X" -> values
	members    map[string][]string // union interface "types.X" -> "types.XMemberFoo"
	in, out    map[string]map[string]wireName
	schemas    map[string]*schema // by shape name
	errors     map[string]*sdkError
	wrappers   map[string]bool // result elements the deserializers look for
}

// sdkError is a modelled error: its code on the wire and whose fault it is.
type sdkError struct {
	code   string
	server bool
}

type goField struct {
	name, typ string
	required  bool
}

// wireName is a member's name in a generated (de)serializer.
type wireName struct {
	name string
	flat bool
}

// schema is one shape of the SDK's schemas package.
type schema struct {
	method, uri string
	status      int                      // of an operation's success or of an error
	members     map[string]*schemaMember // by member name
}

type schemaMember struct {
	name                string
	location, location2 string // "uri", "querystring", "header", "headers"; its name
	payload, flat       bool
	timestampFormat     string
}

func readSDK(dir string) (*sdk, error) {
	s := &sdk{
		structs: map[string][]goField{}, enums: map[string][]string{}, members: map[string][]string{},
		in: map[string]map[string]wireName{}, out: map[string]map[string]wireName{}, schemas: map[string]*schema{}, errors: map[string]*sdkError{}, wrappers: map[string]bool{},
	}
	files, err := filepath.Glob(filepath.Join(dir, "api_op_*.go"))
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	for _, f := range files {
		op := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "api_op_"), ".go")
		if strings.HasSuffix(op, "_test") {
			continue
		}
		s.operations = append(s.operations, op)
		if err := s.parse(f, func(file *ast.File) {
			s.readStructs(file, "", func(n string) bool { return n == op+"Input" || n == op+"Output" })
		}); err != nil {
			return nil, err
		}
	}
	all := func(string) bool { return true }
	for name, read := range map[string]func(*ast.File){
		"types/types.go":     func(f *ast.File) { s.readStructs(f, "types.", all); s.readUnions(f) },
		"types/errors.go":    func(f *ast.File) { s.readStructs(f, "types.", all); s.readErrors(f) },
		"types/enums.go":     s.readEnums,
		"serializers.go":     s.readSerializers,
		"deserializers.go":   s.readDeserializers,
		"schemas/schemas.go": s.readSchemas,
	} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			continue // not every module has every file
		}
		if err := s.parse(path, read); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *sdk) parse(path string, read func(*ast.File)) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	read(f)
	return nil
}

func (s *sdk) readStructs(f *ast.File, prefix string, want func(string) bool) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, sp := range g.Specs {
			ts := sp.(*ast.TypeSpec)
			st, ok := ts.Type.(*ast.StructType)
			if !ok || !want(ts.Name.Name) {
				continue
			}
			fields := []goField{}
			for _, fl := range st.Fields.List {
				if len(fl.Names) == 0 || !fl.Names[0].IsExported() {
					continue
				}
				typ := qualify(types.ExprString(fl.Type), prefix)
				if typ == "middleware.Metadata" || fl.Names[0].Name == "ErrorCodeOverride" {
					continue
				}
				fields = append(fields, goField{fl.Names[0].Name, typ, strings.Contains(fl.Doc.Text(), "This member is required.")})
			}
			s.structs[prefix+ts.Name.Name] = fields
		}
	}
}

var bareName = regexp.MustCompile(`(^|[\]\*])([A-Z]\w*)$`)

// qualify writes the types package's own names as other packages see them.
func qualify(expr, prefix string) string {
	return bareName.ReplaceAllString(expr, "${1}"+prefix+"${2}")
}

var isMember = regexp.MustCompile(`^is([A-Z]\w*)$`)

func (s *sdk) readUnions(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil {
			continue
		}
		m := isMember.FindStringSubmatch(fn.Name.Name)
		recv := strings.TrimPrefix(types.ExprString(fn.Recv.List[0].Type), "*")
		if m == nil || recv == "UnknownUnionMember" || strings.HasSuffix(m[1], "Stream") {
			continue
		}
		s.members["types."+m[1]] = append(s.members["types."+m[1]], "types."+recv)
	}
}

// readErrors learns each error's code and fault from its methods' returns.
func (s *sdk) readErrors(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "ErrorCode" && fn.Name.Name != "ErrorFault" {
			continue
		}
		name := strings.TrimPrefix(types.ExprString(fn.Recv.List[0].Type), "*")
		if s.errors[name] == nil {
			s.errors[name] = &sdkError{}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok {
				switch v := r.Results[0].(type) {
				case *ast.BasicLit:
					s.errors[name].code, _ = strconv.Unquote(v.Value)
				case *ast.SelectorExpr:
					s.errors[name].server = v.Sel.Name == "FaultServer"
				}
			}
			return true
		})
	}
}

func (s *sdk) readEnums(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		vs, ok := n.(*ast.ValueSpec)
		if !ok || vs.Type == nil || len(vs.Values) != 1 {
			return true
		}
		if lit, ok := vs.Values[0].(*ast.BasicLit); ok {
			if v, err := strconv.Unquote(lit.Value); err == nil {
				name := "types." + types.ExprString(vs.Type)
				s.enums[name] = append(s.enums[name], v)
			}
		}
		return true
	})
}

// readSerializers learns input names: `if v.Field != nil { … object.Key("Wire") … }`.
func (s *sdk) readSerializers(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !strings.Contains(fn.Name.Name, "_serialize") || fn.Body == nil || len(fn.Type.Params.List) == 0 {
			continue
		}
		owner := strings.TrimLeft(types.ExprString(fn.Type.Params.List[0].Type), "*")
		for _, st := range fn.Body.List {
			branch, ok := st.(*ast.IfStmt)
			if !ok {
				continue
			}
			field := firstField(branch.Cond, "v")
			if field == "" {
				continue
			}
			ast.Inspect(branch.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 1 {
					return true
				}
				sel := types.ExprString(call.Fun)
				lit, isLit := call.Args[0].(*ast.BasicLit)
				if isLit && (sel == "object.Key" || sel == "object.FlatKey") {
					name, _ := strconv.Unquote(lit.Value)
					put(s.in, owner, field, wireName{name, sel == "object.FlatKey"})
					return false
				}
				return true
			})
		}
	}
}

// readDeserializers learns output names:
// `case strings.EqualFold("wire", t.Name.Local): … sv.Field = …`.
func (s *sdk) readDeserializers(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 1 && types.ExprString(call.Fun) == "decoder.GetElement" {
			if lit, ok := call.Args[0].(*ast.BasicLit); ok {
				name, _ := strconv.Unquote(lit.Value)
				s.wrappers[name] = true
			}
		}
		return true
	})
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !strings.Contains(fn.Name.Name, "_deserialize") || fn.Body == nil || len(fn.Type.Params.List) == 0 {
			continue
		}
		owner := strings.TrimLeft(types.ExprString(fn.Type.Params.List[0].Type), "*")
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			cc, ok := n.(*ast.CaseClause)
			if !ok || len(cc.List) != 1 {
				return true
			}
			call, ok := cc.List[0].(*ast.CallExpr)
			if !ok || types.ExprString(call.Fun) != "strings.EqualFold" {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				return true
			}
			name, _ := strconv.Unquote(lit.Value)
			for _, st := range cc.Body {
				if field := firstField(st, "sv"); field != "" {
					put(s.out, owner, field, wireName{name: name})
					break
				}
			}
			return false
		})
	}
}

func put(m map[string]map[string]wireName, owner, field string, w wireName) {
	if m[owner] == nil {
		m[owner] = map[string]wireName{}
	}
	if _, ok := m[owner][field]; !ok {
		m[owner][field] = w
	}
}

// firstField is the first X of a selector recv.X below n.
func firstField(n ast.Node, recv string) string {
	found := ""
	ast.Inspect(n, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && found == "" {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == recv {
				found = sel.Sel.Name
			}
		}
		return found == ""
	})
	return found
}

// readSchemas learns operations' HTTP bindings and members' names and places.
func (s *sdk) readSchemas(f *ast.File) {
	get := func(name string) *schema {
		if s.schemas[name] == nil {
			s.schemas[name] = &schema{members: map[string]*schemaMember{}}
		}
		return s.schemas[name]
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if len(n.Values) != 1 {
				return true
			}
			call, ok := n.Values[0].(*ast.CallExpr)
			if !ok || types.ExprString(call.Fun) != "smithy.NewSchema" {
				return true
			}
			sc := get(n.Names[0].Name)
			for name, fields := range traits(call.Args) {
				switch name {
				case "HTTP":
					sc.method, sc.uri = fields["Method"], fields["URI"]
					sc.status, _ = strconv.Atoi(fields["Code"])
				case "HTTPError":
					sc.status, _ = strconv.Atoi(fields["Code"])
				}
			}
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "AddMember" || len(n.Args) < 2 {
				return true
			}
			name, _ := strconv.Unquote(n.Args[0].(*ast.BasicLit).Value)
			m := &schemaMember{name: name}
			for trait, fields := range traits(n.Args[2:]) {
				switch trait {
				case "HTTPLabel":
					m.location, m.location2 = "uri", name
				case "HTTPQuery":
					m.location, m.location2 = "querystring", fields["Name"]
				case "HTTPQueryParams":
					m.location = "querystring"
				case "HTTPHeader":
					m.location, m.location2 = "header", fields["Name"]
				case "HTTPPrefixHeaders":
					m.location, m.location2 = "headers", fields["Prefix"]
				case "HTTPPayload":
					m.payload = true
				case "XMLFlattened":
					m.flat = true
				case "TimestampFormat":
					m.timestampFormat = fields["Format"]
				}
			}
			get(types.ExprString(sel.X)).members[name] = m
		}
		return true
	})
}

// traits reads `&smithytraits.HTTP{Method: "POST"}` literals.
func traits(args []ast.Expr) map[string]map[string]string {
	found := map[string]map[string]string{}
	for _, a := range args {
		u, ok := a.(*ast.UnaryExpr)
		if !ok {
			continue
		}
		lit, ok := u.X.(*ast.CompositeLit)
		if !ok {
			continue
		}
		fields := map[string]string{}
		for _, e := range lit.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			text := types.ExprString(kv.Value)
			if v, err := strconv.Unquote(text); err == nil {
				text = v
			}
			fields[types.ExprString(kv.Key)] = text
		}
		found[strings.TrimPrefix(types.ExprString(lit.Type), "smithytraits.")] = fields
	}
	return found
}

// union is one union type for the generated registry.
type union struct {
	module  string
	iface   string
	members []string
}

func (s *sdk) unions(module string) []union {
	var all []union
	for _, name := range c2j.SortedKeys(s.members) {
		all = append(all, union{module, strings.TrimPrefix(name, "types."), s.members[name]})
	}
	return all
}

func writeUnions(path string, unions []union) error {
	var imports, cases strings.Builder
	alias := map[string]string{}
	for _, u := range unions {
		a, ok := alias[u.module]
		if !ok {
			a = filepath.Base(u.module)
			alias[u.module] = a
			fmt.Fprintf(&imports, "\t%s %q\n", a, u.module+"/types")
		}
		fmt.Fprintf(&cases, "\tcase reflect.TypeFor[%s.%s]():\n\t\treturn []reflect.Type{", a, u.iface)
		for i, m := range u.members {
			if i > 0 {
				cases.WriteString(", ")
			}
			fmt.Fprintf(&cases, "reflect.TypeFor[%s.%s]()", a, strings.TrimPrefix(m, "types."))
		}
		cases.WriteString("}\n")
	}
	text := "// Code generated by ./gen; DO NOT EDIT.\n\npackage wire\n\nimport (\n\t\"reflect\"\n\n" + imports.String() + `)

// unionMembers lists the structs that implement a union's interface; reflection
// can't. A struct is named INTERFACEMemberMEMBER and holds one field, Value.
func unionMembers(t reflect.Type) []reflect.Type {
	switch t {
` + cases.String() + "\t}\n\treturn nil\n}\n"
	b, err := format.Source([]byte(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b, 0o644)
}
