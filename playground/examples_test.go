package playground

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

type example struct{ query, variables string }

// readExamples takes the operations out of web/examples.js, whose form is fixed for it.
func readExamples(t *testing.T) []example {
	t.Helper()
	content, err := os.ReadFile("web/examples.js")
	require.NoError(t, err)
	_, list, found := strings.Cut(string(content), "export const examples = [")
	require.True(t, found)
	require.NotContains(t, list, "${", "the texts of examples are constant")
	require.NotContains(t, list, "\\", "this test reads no escapes")

	var examples []example
	for _, field := range regexp.MustCompile("(?ms)^    (query|variables): `(.*?)`,$").FindAllStringSubmatch(list, -1) {
		if field[1] == "query" {
			examples = append(examples, example{query: field[2]})
			continue
		}
		require.NotEmpty(t, examples)
		examples[len(examples)-1].variables = field[2]
	}
	require.Len(t, examples, strings.Count(list, "\n    title: "), "every example has a query")
	count := func(field string) int { return strings.Count(list, " "+field+": `") }
	require.Len(t, examples, count("query"), "every query was found")
	withVariables := slices.DeleteFunc(slices.Clone(examples), func(e example) bool { return e.variables == "" })
	require.Len(t, withVariables, count("variables"), "all variables were found")
	return examples
}

// loadSchema reads the public contract from its files.
func loadSchema(t *testing.T) *ast.Schema {
	t.Helper()
	paths, err := filepath.Glob("../schema/*.graphqls")
	require.NoError(t, err)
	var sources []*ast.Source
	for _, path := range append([]string{"../schema.graphqls"}, paths...) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		sources = append(sources, &ast.Source{Name: path, Input: string(content)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	require.NoError(t, err)
	return schema
}

func TestExamples(t *testing.T) {
	t.Parallel()
	schema := loadSchema(t)
	names := map[string]bool{}
	for _, e := range readExamples(t) {
		document, err := parser.ParseQuery(&ast.Source{Input: e.query})
		require.NoError(t, err, e.query)
		require.NotEmpty(t, document.Operations)
		operation := document.Operations[0]
		require.NotEmpty(t, operation.Name, "the name is the title of the tab")
		require.False(t, names[operation.Name], "%s occurs twice", operation.Name)
		names[operation.Name] = true

		t.Run(operation.Name+" fits the schema", func(t *testing.T) {
			t.Parallel()
			require.Empty(t, validator.ValidateWithRules(schema, document, nil))
			variables := map[string]any{}
			if e.variables != "" {
				require.NoError(t, json.Unmarshal([]byte(e.variables), &variables))
			}
			_, err := validator.VariableValues(schema, operation, variables)
			require.NoError(t, err)
			for name := range variables {
				require.NotNil(t, operation.VariableDefinitions.ForName(name), "variable %s is not used", name)
			}
		})
	}
	for _, name := range []string{"Documents", "WatchJobs"} {
		require.True(t, names[name], "playgroundtest.Tour runs %s", name)
	}
}
