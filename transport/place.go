package transport

import (
	"regexp"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// A client wants to know which of its inputs is wrong, whether it came as a literal or in a variable. gqlparser tells the
// place in the document, or the name of the variable; here both become the path of an argument, in extensions.field.

// place names the argument or input field at the location of a validation error.
func place(doc *ast.QueryDocument, e *gqlerror.Error) {
	if len(e.Locations) == 0 {
		return
	}
	at := e.Locations[0]
	if path := namedArgument(e.Message); path != "" {
		name(e, path)
		return
	}
	eachArgument(doc, func(path string, v *ast.Value, pos *ast.Position) bool {
		if pos == nil || pos.Line != at.Line || pos.Column != at.Column {
			return true
		}
		if m := missingField().FindStringSubmatch(e.Message); m != nil && v != nil && v.Kind == ast.ObjectValue {
			path += "." + m[1]
		}
		name(e, path)
		return false
	})
}

// unreadable finds a number that is too large for the parser's types. Where the schema has a scalar of its own gqlparser
// does not look for it, and gqlgen would panic; elsewhere gqlparser also complains about everything around it.
func unreadable(doc *ast.QueryDocument) *gqlerror.Error {
	var e *gqlerror.Error
	eachArgument(doc, func(path string, v *ast.Value, pos *ast.Position) bool {
		if v == nil || v.Kind != ast.IntValue && v.Kind != ast.FloatValue {
			return true
		}
		if _, err := v.Value(nil); err == nil {
			return true
		}
		e = gqlerror.ErrorPosf(pos, "the number %s is too large for a literal", shorten(v.Raw, 40))
		name(e, path)
		return false
	})
	return e
}

// placeVariable names the argument that a variable stands for, in an error of its value.
func placeVariable(doc *ast.QueryDocument, e *gqlerror.Error) {
	if len(e.Path) < 2 {
		return
	}
	variable, _ := e.Path[1].(ast.PathName)
	field := string(variable) // of a variable that is used nowhere
	eachArgument(doc, func(path string, v *ast.Value, _ *ast.Position) bool {
		if v == nil || v.Kind != ast.Variable || v.Raw != string(variable) {
			return true
		}
		field = path
		return false
	})
	for _, part := range e.Path[2:] {
		switch part := part.(type) {
		case ast.PathName:
			field += "." + string(part)
		case ast.PathIndex:
			field += "[" + strconv.Itoa(int(part)) + "]"
		}
	}
	name(e, field)
}

func name(e *gqlerror.Error, field string) {
	if e.Extensions == nil {
		e.Extensions = map[string]any{}
	}
	e.Extensions["field"] = field
}

// missingField is gqlparser's message about an input field that must be given.
func missingField() *regexp.Regexp {
	return regexp.MustCompile(`^Field "\w+\.(\w+)" of required type `)
}

// namedArgument is the argument in gqlparser's messages about one that is unknown or missing, whose location is the field's.
func namedArgument(message string) string {
	for _, re := range []string{`^Unknown argument "(\w+)" on field `, `^Field "\w+" argument "(\w+)" of type ".*" is required`} {
		if m := regexp.MustCompile(re).FindStringSubmatch(message); m != nil {
			return m[1]
		}
	}
	return ""
}

// eachArgument calls visit for the arguments of all fields and for everything within them, until it says false. A field of
// an input object comes twice: its name, without a value, and then its value.
func eachArgument(doc *ast.QueryDocument, visit func(path string, v *ast.Value, pos *ast.Position) bool) {
	for _, op := range doc.Operations {
		if !eachOf(op.SelectionSet, visit) {
			return
		}
	}
	for _, f := range doc.Fragments {
		if !eachOf(f.SelectionSet, visit) {
			return
		}
	}
}

func eachOf(set ast.SelectionSet, visit func(string, *ast.Value, *ast.Position) bool) bool {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			for _, a := range sel.Arguments {
				if !within(a.Name, a.Value, visit) {
					return false
				}
			}
			if !eachOf(sel.SelectionSet, visit) {
				return false
			}
		case *ast.InlineFragment:
			if !eachOf(sel.SelectionSet, visit) {
				return false
			}
		}
	}
	return true
}

func within(path string, v *ast.Value, visit func(string, *ast.Value, *ast.Position) bool) bool {
	if v == nil {
		return true
	}
	if !visit(path, v, v.Position) {
		return false
	}
	for i, c := range v.Children {
		inner := path + "[" + strconv.Itoa(i) + "]"
		if v.Kind == ast.ObjectValue {
			inner = path + "." + c.Name
			if !visit(inner, nil, c.Position) {
				return false
			}
		}
		if !within(inner, c.Value, visit) {
			return false
		}
	}
	return true
}
