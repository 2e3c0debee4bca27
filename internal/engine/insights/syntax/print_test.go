package syntax

import (
	"fmt"
	"reflect"
	"strings"
)

// show prints a query as nested lists, without places, one command a line.
func show(q *Query) string {
	var lines []string
	for _, c := range q.Commands {
		lines = append(lines, showNode(reflect.ValueOf(c)))
	}
	return strings.Join(lines, "\n")
}

var opNames = map[Op]string{
	Or: "or", And: "and", Not: "not", Equal: "=", Unequal: "!=", Less: "<", LessEqual: "<=", Greater: ">", GreaterEqual: ">=",
	Add: "+", Subtract: "-", Multiply: "*", Divide: "/", Modulo: "%", Power: "^", Neg: "neg",
}

func showNode(v reflect.Value) string {
	if !v.IsValid() {
		return "-"
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return "-"
		}
		if q, ok := v.Interface().(*Query); ok {
			return "{" + strings.ReplaceAll(show(q), "\n", " | ") + "}"
		}
		return showNode(v.Elem())
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, showNode(v.Index(i)))
		}
		return "[" + strings.Join(items, " ") + "]"
	case reflect.Struct:
		return showStruct(v)
	}
	if op, ok := v.Interface().(Op); ok {
		return opNames[op]
	}
	if v.Kind() == reflect.String {
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}

func showStruct(v reflect.Value) string {
	switch e := v.Interface().(type) {
	case Field:
		return e.Name
	case Number:
		return e.Text
	case String:
		return fmt.Sprintf("%q", e.Text)
	case Regex:
		return "/" + e.Regexp.String() + "/"
	case Period:
		return e.Text
	case Bool:
		return fmt.Sprint(e.Value)
	case Unary:
		return fmt.Sprintf("(%s %s)", opNames[e.Op], showNode(reflect.ValueOf(e.X)))
	case Binary:
		return fmt.Sprintf("(%s %s %s)", opNames[e.Op], showNode(reflect.ValueOf(e.X)), showNode(reflect.ValueOf(e.Y)))
	case Call:
		if e.Star {
			return "(" + e.Name + " *)"
		}
		return "(" + e.Name + strings.TrimSuffix(" "+strings.Trim(showNode(reflect.ValueOf(e.Args)), "[]"), " ") + ")"
	case Column:
		if e.Alias {
			return fmt.Sprintf("%s:%s", e.Name, showNode(reflect.ValueOf(e.Expr)))
		}
		if _, ok := e.Expr.(*Field); ok {
			return e.Name
		}
		return fmt.Sprintf("%q:%s", e.Name, showNode(reflect.ValueOf(e.Expr)))
	}
	name := v.Type().Name()
	var parts []string
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Name != "Span" && !v.Field(i).IsZero() {
			parts = append(parts, f.Name+"="+showNode(v.Field(i)))
		}
	}
	return "(" + strings.Join(append([]string{name}, parts...), " ") + ")"
}
