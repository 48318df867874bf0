package pggraphql

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"stackforge/errs"
)

// read splits an answer of graphql.resolve().
func read(text []byte) (Answer, error) {
	var in struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return Answer{}, fmt.Errorf("read the answer of graphql.resolve: %w", err)
	}
	out := Answer{Data: in.Data}
	for _, e := range in.Errors {
		out.Errors = append(out.Errors, explain(e.Message)...)
	}
	return out, nil
}

// ours begins what write_graphql_api() raises.
const ours = "stackforge:"

// explain turns the only thing that graphql.resolve() tells of an error, its text, into our codes. A text passes if it is one of
// ours, or one that pg_graphql wrote itself about the document; PostgreSQL's own never do.
func explain(message string) errs.List {
	if text, ok := strings.CutPrefix(message, ours); ok {
		return written(text, message)
	}
	if scope := permission.FindString(message); scope != "" {
		return errs.List{errs.New(errs.Forbidden, scope)}
	}
	switch {
	case message == "Unknown type Mutation":
		return errs.List{errs.New(errs.Forbidden, "The key lacks the permission to write here.")}
	case about.MatchString(message):
		return errs.List{errs.New(errs.Validation, message)}
	case revalidation.MatchString(message):
		return errs.List{errs.New(errs.Validation, "A value does not fit its place in the operation.")}
	case value.MatchString(message):
		return errs.List{errs.New(errs.Validation, "A value does not have the form that its field needs.")}
	case strings.HasPrefix(message, "syntax error at "): // it writes such SQL for an object without fields
		return errs.List{errs.New(errs.Validation, "pg_graphql cannot carry out this operation; does an object lack all fields?")}
	case strings.HasPrefix(message, "permission denied "):
		return errs.List{errs.New(errs.Forbidden, "This is not allowed.")}
	}
	return errs.List{errs.From(fmt.Errorf("graphql.resolve: %s", message))}
}

// written reads an error of write_graphql_api().
func written(text, message string) errs.List {
	var e struct {
		State   string `json:"state"`
		Message string `json:"message"`
		Column  string `json:"column"`
		Detail  string `json:"detail"`
	}
	cause := fmt.Errorf("graphql.resolve: %s", message)
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return errs.List{errs.From(cause)}
	}
	var parts []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	}
	if e.State == "ZE400" && json.Unmarshal([]byte(e.Detail), &parts) == nil && len(parts) > 0 {
		var list errs.List
		for _, p := range parts {
			list.Add(p.Field, p.Message)
		}
		return list
	}
	return errs.List{errs.FromSQL(e.State, e.Message, e.Column, cause)}
}

var (
	permission = regexp.MustCompile(`^This needs the permission [a-z]+:[a-z]+\.$`)

	// about are pg_graphql's own texts about a document: names and values of the document are all they have in them.
	about = regexp.MustCompile("^(query parse error|Parse error|(update|delete) impacts too many records$" +
		"|Unknown (or invalid )?(aggregate )?(field|argument|directive|type)\\b|unknown field in \\w+$" +
		"|Invalid (value passed to nodeId|order operation|filter operation|`not` filter|Int input|Type used|input (for|type))" +
		"|Input (contains extra keys|for type )" +
		"|Anonymous operations must|Operation names must|Operation not found|Selection set must|Subscriptions are not|variables must be" +
		"|Fragment cycle|Found a cycle|no fragment named|Two fields named|Fields `" +
		"|Field \"|Value for \"|Incorrect arguments to directive|Only `and`|[Oo]nly one of \"|enable the aggregate|(A )?[Aa]rgument \"" +
		"|`(first|last|offset)` must|\"(first|last|before|after|offset)\" |Failed to decode cursor|orderBy clause" +
		"|nodeId belongs|Collection referenced by nodeId|At least one |Missing primary key|Primary key column" +
		"|Unexpected (array|object) in input|Failed to handle numeric|Filter type error|Error transpiling)")
	revalidation = regexp.MustCompile(`re-validation err+or`)

	// value are PostgreSQL's texts about a value that does not fit a column.
	value = regexp.MustCompile(`^(invalid input syntax for|invalid byte sequence|invalid regular expression|date/time field value` +
		`|unsupported Unicode|\\u0000 cannot|invalid escape|LIKE pattern must|malformed)|out of range|not recognized$`)
)
