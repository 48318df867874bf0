// Command graphgen makes graph/: gqlgen's output, and beside it direct.go, a shorter way for objects that are plain data.
//
// gqlgen gives every field a context, two closures and a recover, and every element of a list a goroutine. For fields that
// resolvers compute that is right; for fields that are there already it is most of the cost of a page. direct.go writes an
// object whose selected fields are all plain in one loop. An object with a resolver among its selected fields, a deferred
// field or a null where none may be takes gqlgen's way, which also reports the error.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/template"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/vektah/gqlparser/v2/ast"
	"golang.org/x/tools/imports"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err) //nolint:forbidigo // a command
		os.Exit(1)
	}
}

func run() error {
	c, err := config.LoadConfigFromDefaultLocations()
	if err != nil {
		return err
	}
	// What an earlier run wrote would not fit what gqlgen writes now, and gqlgen checks the package.
	if err := os.Remove(directFile(c.Exec.Filename)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d := &direct{}
	if err := api.Generate(c, api.AddPlugin(d)); err != nil {
		return err
	}
	return d.write()
}

// direct is a plugin that keeps what gqlgen knows of the schema.
type direct struct{ data *codegen.Data }

// Name implements plugin.Plugin.
func (*direct) Name() string { return "direct" }

// GenerateCode implements plugin.CodeGenerator. gqlgen's own code is not written yet.
func (d *direct) GenerateCode(data *codegen.Data) error {
	d.data = data
	return nil
}

// object is what the template needs of one.
type object struct {
	Name   string
	GoType string // as generated.go writes it
	Fields []field
}

type field struct {
	Name    string
	Value   string // Go expression
	Marshal string // gqlgen's function for the value's type
	NonNull bool
	Object  string // the type's name when the value is a plain object held by value
}

// The places of generated.go that get a first try of the short way.
var (
	objectFunc  = regexp.MustCompile(`(func \(ec \*executionContext\) _(\w+)\(ctx context\.Context, sel ast\.SelectionSet, obj \*(\S+)\) graphql\.Marshaler \{\n\tfields := graphql\.CollectFields\(ec\.OperationContext, sel, (\w+)\)\n)`)
	listFunc    = regexp.MustCompile(`(\tret := graphql\.MarshalSliceConcurrently\(ctx, len\(v\), [^\n]*\n[^\n]*\n\t\tfc\.Result = &v\[i\]\n\t\treturn ec\.marshalN(\w+?)2[^\n(*ᚖ]*\(ctx, sel, v\[i\]\)\n)`)
	inputMap    = regexp.MustCompile(`(?s)\tinputUnmarshalMap := graphql\.BuildUnmarshalerMap\(\n.*?\n\t\)\n`)
	inputMapUse = regexp.MustCompile(`\n\s*ctx = graphql\.WithUnmarshalerMap\(ctx, inputUnmarshalMap\)`)
	importList  = regexp.MustCompile(`(?s)\nimport \(\n.*?\n\)\n`)
)

// write makes direct.go and has generated.go try it first.
func (d *direct) write() error {
	data := d.data
	name := data.Config.Exec.Filename
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if text, err = withoutInputMap(text); err != nil {
		return err
	}
	plain := map[string]object{}
	computing := computing(data.Objects)
	for _, o := range data.Objects {
		if !o.Root && !o.BuiltIn {
			plain[o.Name] = object{Name: o.Name, Fields: fields(o, computing)}
		}
	}
	text = objectFunc.ReplaceAllFunc(text, func(m []byte) []byte {
		p := objectFunc.FindSubmatch(m)
		o, ok := plain[string(p[2])]
		if !ok {
			return m
		}
		o.GoType = string(p[3])
		plain[o.Name] = o
		return fmt.Appendf(bytes.Clone(m), "\tif m := directObject(ctx, ec, fields, obj, (*direct).write%s); m != nil {\n\t\treturn m\n\t}\n", o.Name)
	})
	text = listFunc.ReplaceAllFunc(text, func(m []byte) []byte {
		o, ok := plain[string(listFunc.FindSubmatch(m)[2])]
		if !ok || o.GoType == "" {
			return m
		}
		try := fmt.Sprintf("\tif m := directList(ctx, ec, graphql.CollectFields(ec.OperationContext, sel, %sImplementors), v, (*direct).write%s); m != nil {\n\t\treturn m\n\t}\n",
			lowerFirst(o.Name), o.Name)
		return append([]byte(try), m...)
	})
	if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec // source code
		return err
	}
	return writeFile(directFile(name), string(importList.Find(text)), plain)
}

// withoutInputMap leaves out a map of all inputs' functions, which gqlgen makes anew for every operation (some 10 KiB), for directives
// and resolvers that call graphql.UnmarshalInputFromContext. Ours do not.
func withoutInputMap(text []byte) ([]byte, error) {
	out := inputMapUse.ReplaceAll(inputMap.ReplaceAll(text, nil), nil)
	if bytes.Contains(out, []byte("nputUnmarshalMap")) || len(out) == len(text) {
		return nil, errors.New("gqlgen makes its map of inputs in another way now")
	}
	return out, nil
}

func directFile(generated string) string { return filepath.Join(filepath.Dir(generated), "direct.go") }

// fields are the plain ones: no resolver, no argument, no directive, nothing that can fail, and no list of objects of which
// something is computed. Such a list would be written by gqlgen's code without the context of its field, and once more when
// it fails.
func fields(o *codegen.Object, computing map[string]bool) []field {
	var out []field
	for _, f := range o.Fields {
		if !isPlain(f) {
			continue
		}
		value := f.GoReceiverName + "." + f.GoFieldName
		if f.IsMethod() {
			value += "()"
		}
		x := field{Name: f.Name, Value: value, Marshal: f.TypeReference.MarshalFunc(), NonNull: f.TypeReference.GQL.NonNull}
		if _, isStruct := f.TypeReference.GO.Underlying().(*types.Struct); isStruct && !f.IsMethod() && f.TypeReference.Definition.Kind == ast.Object {
			x.Object = f.TypeReference.Definition.Name
		} else if computing[f.TypeReference.Definition.Name] {
			continue
		}
		out = append(out, x)
	}
	return out
}

func isPlain(f *codegen.Field) bool {
	switch {
	case f.IsResolver, f.IsReserved(), len(f.Args) > 0, f.HasDirectives(), f.VOkFunc, f.IsMap(), f.Stream:
		return false
	case f.IsMethod():
		return !f.MethodHasContext && f.NoErr
	default:
		return true
	}
}

// computing are the types of which something is computed, at whatever depth.
func computing(objects codegen.Objects) map[string]bool {
	out := map[string]bool{}
	for again := true; again; {
		again = false
		for _, o := range objects {
			if out[o.Name] || o.Root || o.BuiltIn {
				continue
			}
			for _, f := range o.Fields {
				if !f.IsReserved() && (!isPlain(f) || out[f.TypeReference.Definition.Name] || f.TypeReference.Definition.IsAbstractType()) {
					out[o.Name], again = true, true
					break
				}
			}
		}
	}
	return out
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func writeFile(name, importBlock string, plain map[string]object) error {
	objects := make([]object, 0, len(plain))
	for _, o := range plain {
		if o.GoType != "" {
			objects = append(objects, o)
		}
	}
	sort.Slice(objects, func(i, j int) bool { return objects[i].Name < objects[j].Name })
	names := map[string]string{} // of plain objects, as generated.go begins the names of their variables
	for _, o := range objects {
		names[o.Name] = lowerFirst(o.Name)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, map[string]any{"Imports": importBlock, "Objects": objects, "Plain": names}); err != nil {
		return err
	}
	text, err := imports.Process(name, b.Bytes(), nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, text, 0o644) //nolint:gosec // source code
}

var page = template.Must(template.New("").Parse(`// Code generated by stackforge/tools/graphgen, DO NOT EDIT.

package graph
{{ .Imports }}
// written is JSON that is ready.
type written []byte

// MarshalGQL implements graphql.Marshaler.
func (b written) MarshalGQL(w io.Writer) { _, _ = w.Write(b) }

// direct writes objects of plain data.
type direct struct {
	bytes.Buffer
	ctx context.Context
	ec  *executionContext
	// What is selected of the objects within a list's elements is the same for each element.
	nested map[*graphql.CollectedField][]graphql.CollectedField
}

// fieldsOf are the fields that are selected of an object held by a field.
func (w *direct) fieldsOf(f *graphql.CollectedField, implementors []string) []graphql.CollectedField {
	fields, ok := w.nested[f]
	if !ok {
		fields = graphql.CollectFields(w.ec.OperationContext, f.Selections, implementors)
		if w.nested == nil {
			w.nested = map[*graphql.CollectedField][]graphql.CollectedField{}
		}
		w.nested[f] = fields
	}
	return fields
}

// writer writes one object; false when it must be done by gqlgen's code after all.
type writer[T any] func(w *direct, fields []graphql.CollectedField, obj *T) bool

// directObject writes an object, nil when gqlgen's code must.
func directObject[T any](ctx context.Context, ec *executionContext, fields []graphql.CollectedField, obj *T, write writer[T]) graphql.Marshaler {
	w := &direct{ctx: ctx, ec: ec}
	w.Grow(64 * (1 + len(fields)))
	if !write(w, fields, obj) {
		return nil
	}
	return written(w.Bytes())
}

// directList writes a list of objects, nil when gqlgen's code must.
func directList[T any](ctx context.Context, ec *executionContext, fields []graphql.CollectedField, list []T, write writer[T]) graphql.Marshaler {
	w := &direct{ctx: ctx, ec: ec}
	w.Grow(64 * (1 + len(fields)) * (1 + len(list)))
	w.WriteByte('[')
	for i := range list {
		if i > 0 {
			w.WriteByte(',')
		}
		if !write(w, fields, &list[i]) {
			return nil
		}
	}
	w.WriteByte(']')
	return written(w.Bytes())
}

// writeKey writes what stands before a field's value. A name of GraphQL needs no escapes.
func (w *direct) writeKey(i int, alias string) {
	if i == 0 {
		w.WriteString("{\"")
	} else {
		w.WriteString(",\"")
	}
	w.WriteString(alias)
	w.WriteString("\":")
}
{{ range $o := .Objects }}
func (w *direct) write{{ .Name }}(fields []graphql.CollectedField, obj *{{ .GoType }}) bool {
	for i := range fields {
		f := &fields[i]
		if len(f.Deferrables) > 0 {
			return false
		}
		var v graphql.Marshaler
		nonNull := false
		switch f.Name {
		case "__typename":
			v = graphql.MarshalString("{{ .Name }}")
{{- range .Fields }}
		case "{{ .Name }}":
{{- if index $.Plain .Object }}
			w.writeKey(i, f.Alias)
			if !w.write{{ .Object }}(w.fieldsOf(f, {{ index $.Plain .Object }}Implementors), &{{ .Value }}) {
				return false
			}
			continue
{{- else }}
			v{{ if .NonNull }}, nonNull{{ end }} = w.ec.{{ .Marshal }}(w.ctx, f.Selections, {{ .Value }}){{ if .NonNull }}, true{{ end }}
{{- end }}
{{- end }}
		default:
			return false
		}
		if nonNull && v == graphql.Null {
			return false
		}
		w.writeKey(i, f.Alias)
		v.MarshalGQL(w)
	}
	if len(fields) == 0 {
		w.WriteByte('{')
	}
	w.WriteByte('}')
	return true
}
{{ end }}`))
