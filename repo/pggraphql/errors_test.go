package pggraphql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/errs"
)

func TestExplain(t *testing.T) {
	t.Parallel()

	for _, text := range []string{ // pg_graphql's own pass as they are
		`query parse error: Parse error at 1:5` + "\nUnexpected `)[Punctuator]`\nExpected value\n",
		`Anonymous operations must be the only defined operation`,
		`At least one mapping must be provided to set argument`,
		`At least one record must be provided to objects`,
		`Error transpiling Is filter value type`,
		`Failed to decode cursor, error 1`,
		"Fields `pageInfo` and `edges` are different",
		"Two fields named `accountCollection` have different arguments",
		`Found a cycle between fragments`,
		`Input contains extra keys ["unknown"]`,
		`Input for type AccountFilter contains extra keys ["dne_id"]`,
		`Invalid input for BigFloat type. String required`,
		`Invalid input for String type. Maximum character length 2`,
		`Invalid value passed to nodeId argument. Error 4`,
		`Missing primary key column(s): product_id`,
		`Operation names must be unique`,
		`Subscriptions are not supported`,
		`Unknown field 'dneField' on type 'Account'`,
		`Unknown field "__schema" on type Query`,
		`Unknown or invalid field "id" selected on type "BlogPostMinAggregateResult"`,
		`Value for "if" in @include directive is required`,
		`"offset" may only be used with "first" and "after"`,
		"`first` must be an unsigned integer",
		`delete impacts too many records`,
		`enable the aggregate directive to use aggregates`,
		`nodeId belongs to a different collection`,
		`only one of "before" and "after" may be provided`,
		`orderBy clause incompatible with pagination cursor`,
		`unknown field in connection`,
		`variables must be an object`,
	} {
		require.Equal(t, errs.List{errs.New(errs.Validation, text)}, explain(text))
	}
	for text, want := range map[string]errs.Code{ // PostgreSQL's never do
		`invalid input syntax for type uuid: "secret"`:                                           errs.Validation,
		`value "99999999999999999999" is out of range for type bigint`:                           errs.Validation,
		`integer out of range`:                                                                   errs.Validation,
		`invalid regular expression: parentheses () not balanced`:                                errs.Validation,
		`date/time field value out of range: "2026-13-01"`:                                       errs.Validation,
		`timestamp out of range: "294277-01-01"`:                                                 errs.Validation,
		`time zone displacement out of range: "2026-01-01T00:00:00+99:99"`:                       errs.Validation,
		`syntax error at or near ")"`:                                                            errs.Validation,
		`unsupported Unicode escape sequence`:                                                    errs.Validation,
		`time zone "Mars" not recognized`:                                                        errs.Validation,
		`permission denied for view documents`:                                                   errs.Forbidden,
		`Unknown type Mutation`:                                                                  errs.Forbidden,
		`new row for relation "account" violates check constraint "account_first_name_check"`:    errs.Internal,
		`duplicate key value violates unique constraint "secret_key"`:                            errs.Internal,
		`cannot execute UPDATE in a read-only transaction`:                                       errs.Internal,
		`Error while loading schema, check comment directives. invalid type: string`:             errs.Internal,
		`Internal Error: Failed to execute transpiled query`:                                     errs.Internal,
		`column "secret" does not exist`:                                                         errs.Internal,
		`stackforge:broken`:                                                                      errs.Internal,
		`stackforge:{"state": "23505", "message": "duplicate key value violates", "column": ""}`: errs.Conflict,
		`stackforge:{"state": "XX000", "message": "secret"}`:                                     errs.Internal,
		`Insert re-validation errror 1`:                                                          errs.Validation,
		``:                                                                                       errs.Internal,
	} {
		list := explain(text)
		require.Len(t, list, 1)
		require.Equal(t, want, list[0].Code, text)
		require.NotRegexp(t, `secret|violates|type uuid|constraint|for view|stackforge|transaction|column|syntax`, list[0].Message, text)
	}
	require.Equal(t, errs.List{errs.New(errs.Forbidden, "This needs the permission users:read.")}, explain("This needs the permission users:read."))

	own := explain(`stackforge:{"state": "ZE409", "message": "It is there.", "column": "email", "detail": ""}`)
	require.Len(t, own, 1)
	require.Equal(t, []any{errs.Conflict, "It is there.", "email"}, []any{own[0].Code, own[0].Message, own[0].Field})
	require.Equal(t, errs.List{errs.Field("title", "A"), errs.Field("path", "B")},
		explain(`stackforge:{"state": "ZE400", "message": "A", "column": "title", "detail": "[{\"field\": \"title\", \"message\": \"A\"}, {\"field\": \"path\", \"message\": \"B\"}]"}`))
}

func TestRead(t *testing.T) {
	t.Parallel()

	a, err := read([]byte(`{"data": {"a": 1}, "errors": [{"message": "Operation not found"}]}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"a": 1}`, string(a.Data))
	require.Len(t, a.Errors, 1)
	a, err = read([]byte(`{"errors": []}`))
	require.NoError(t, err)
	require.Nil(t, a.Data)
	require.Empty(t, a.Errors)
	_, err = read([]byte(`[]`))
	require.Error(t, err)
}
