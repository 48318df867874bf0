package playgroundtest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Example is a tab of the first visit: a document of operations, and the variables of its first one, "" without any.
type Example struct{ Query, Variables string }

// Examples takes the operations out of web/examples.js, whose form is fixed for it. path leads to that file.
func Examples(tb testing.TB, path string) []Example {
	tb.Helper()

	content, err := os.ReadFile(path) //nolint:gosec // a file of the repository
	if err != nil {
		tb.Fatal(err)
	}
	_, list, found := strings.Cut(string(content), "export const examples = [")
	if !found || strings.Contains(list, "${") || strings.Contains(list, "\\") {
		tb.Fatal("the texts of examples are constant, without escapes")
	}
	var examples []Example
	variables := 0
	for _, field := range regexp.MustCompile("(?ms)^    (query|variables): `(.*?)`,$").FindAllStringSubmatch(list, -1) {
		switch {
		case field[1] == "query":
			examples = append(examples, Example{Query: field[2]})
		case len(examples) > 0:
			examples[len(examples)-1].Variables = field[2]
			variables++
		}
	}
	count := func(text string) int { return strings.Count(list, text) }
	if n := len(examples); n != count("\n    title: ") || n != count(" query: `") || variables != count(" variables: `") {
		tb.Fatal("not every title has its query, or not every variable was found")
	}
	return examples
}
