// Command graphgen makes graph/: gqlgen's output, and beside it direct.go, a shorter way for objects that are plain data.
//
// gqlgen gives every field a context, two closures and a recover, and every element of a list a goroutine. For fields that
// resolvers compute that is right; for fields that are there already it is most of the cost of a page. direct.go writes an
// object whose selected fields are all plain in one loop. An object with a resolver among its selected fields, a deferred
// field or a null where none may be takes gqlgen's way, which also reports the error.
package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"text/template"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
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
}

// The places of generated.go that get a first try of the short way.
var (
	objectFunc = regexp.MustCompile(`(func \(ec \*executionContext\) _(\w+)\(ctx context\.Context, sel ast\.SelectionSet, obj \*(\S+)\) graphql\.Marshaler \{\n\tfields := graphql\.CollectFields\(ec\.OperationContext, sel, (\w+)\)\n)`)
	listFunc   = regexp.MustCompile(`(\tret := graphql\.MarshalSliceConcurrently\(ctx, len\(v\), [^\n]*\n[^\n]*\n\t\tfc\.Result = &v\[i\]\n\t\treturn ec\.marshalN(\w+?)2[^\n(*ᚖ]*\(ctx, sel, v\[i\]\)\n)`)
	importList = regexp.MustCompile(`(?s)\nimport \(\n.*?\n\)\n`)
)

// write makes direct.go and has generated.go try it first.
func (d *direct) write() error {
	data := d.data
	name := data.Config.Exec.Filename
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	plain := map[string]object{}
	for _, o := range data.Objects {
		if !o.Root && !o.BuiltIn {
			plain[o.Name] = object{Name: o.Name, Fields: fields(o)}
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
		return fmt.Appendf(bytes.Clone(m), "\tif m := directObject(ctx, ec, fields, obj, (*executionContext).write%s); m != nil {\n\t\treturn m\n\t}\n", o.Name)
	})
	text = listFunc.ReplaceAllFunc(text, func(m []byte) []byte {
		o, ok := plain[string(listFunc.FindSubmatch(m)[2])]
		if !ok || o.GoType == "" {
			return m
		}
		try := fmt.Sprintf("\tif m := directList(ctx, ec, graphql.CollectFields(ec.OperationContext, sel, %sImplementors), v, (*executionContext).write%s); m != nil {\n\t\treturn m\n\t}\n",
			lowerFirst(o.Name), o.Name)
		return append([]byte(try), m...)
	})
	if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec // source code
		return err
	}
	return writeFile(strings.Replace(name, "generated.go", "direct.go", 1), string(importList.Find(text)), plain)
}

// fields are the plain ones: no resolver, no argument, no directive, nothing that can fail.
func fields(o *codegen.Object) []field {
	var out []field
	for _, f := range o.Fields {
		value := f.GoReceiverName + "." + f.GoFieldName
		switch {
		case f.IsResolver, f.IsReserved(), len(f.Args) > 0, f.HasDirectives(), f.VOkFunc, f.IsMap(), f.Stream:
			continue
		case f.IsMethod() && (f.MethodHasContext || !f.NoErr):
			continue
		case f.IsMethod():
			value += "()"
		}
		out = append(out, field{Name: f.Name, Value: value, Marshal: f.TypeReference.MarshalFunc(), NonNull: f.TypeReference.GQL.NonNull})
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
	var b bytes.Buffer
	if err := page.Execute(&b, map[string]any{"Imports": importBlock, "Objects": objects}); err != nil {
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

// writer writes an object of plain data; false when it must be done by gqlgen's code after all.
type writer[T any] func(ec *executionContext, ctx context.Context, w *bytes.Buffer, fields []graphql.CollectedField, obj *T) bool

// directObject writes an object, nil when gqlgen's code must.
func directObject[T any](ctx context.Context, ec *executionContext, fields []graphql.CollectedField, obj *T, write writer[T]) graphql.Marshaler {
	w := bytes.NewBuffer(make([]byte, 0, 64*(1+len(fields))))
	if !write(ec, ctx, w, fields, obj) {
		return nil
	}
	return written(w.Bytes())
}

// directList writes a list of objects, nil when gqlgen's code must.
func directList[T any](ctx context.Context, ec *executionContext, fields []graphql.CollectedField, list []T, write writer[T]) graphql.Marshaler {
	w := bytes.NewBuffer(make([]byte, 0, 64*(1+len(fields))*(1+len(list))))
	w.WriteByte('[')
	for i := range list {
		if i > 0 {
			w.WriteByte(',')
		}
		if !write(ec, ctx, w, fields, &list[i]) {
			return nil
		}
	}
	w.WriteByte(']')
	return written(w.Bytes())
}

// writeKey writes what stands before a field's value. A name of GraphQL needs no escapes.
func writeKey(w *bytes.Buffer, i int, alias string) {
	if i == 0 {
		w.WriteString("{\"")
	} else {
		w.WriteString(",\"")
	}
	w.WriteString(alias)
	w.WriteString("\":")
}
{{ range $o := .Objects }}
func (ec *executionContext) write{{ .Name }}(ctx context.Context, w *bytes.Buffer, fields []graphql.CollectedField, obj *{{ .GoType }}) bool {
	for i := range fields {
		f := &fields[i]
		var v graphql.Marshaler
		nonNull := false
		switch f.Name {
		case "__typename":
			v = graphql.MarshalString("{{ .Name }}")
{{- range .Fields }}
		case "{{ .Name }}":
			v{{ if .NonNull }}, nonNull{{ end }} = ec.{{ .Marshal }}(ctx, f.Selections, {{ .Value }}){{ if .NonNull }}, true{{ end }}
{{- end }}
		default:
			return false
		}
		if len(f.Deferrables) > 0 || nonNull && v == graphql.Null {
			return false
		}
		writeKey(w, i, f.Alias)
		v.MarshalGQL(w)
	}
	if len(fields) == 0 {
		w.WriteByte('{')
	}
	w.WriteByte('}')
	return true
}
{{ end }}`))
