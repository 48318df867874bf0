package playground

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"stackforge/playground/playgroundtest"
)

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
	for _, e := range playgroundtest.Examples(t, "web/examples.js") {
		document, err := parser.ParseQuery(&ast.Source{Input: e.Query})
		require.NoError(t, err, e.Query)
		require.NotEmpty(t, document.Operations)
		operation := document.Operations[0]
		require.NotEmpty(t, operation.Name, "the name is the title of the tab")
		require.False(t, names[operation.Name], "%s occurs twice", operation.Name)
		names[operation.Name] = true

		t.Run(operation.Name+" fits the schema", func(t *testing.T) {
			t.Parallel()
			require.Empty(t, validator.ValidateWithRules(schema, document, nil))
			variables := map[string]any{}
			if e.Variables != "" {
				require.NoError(t, json.Unmarshal([]byte(e.Variables), &variables))
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
