// Package pggraphql passes operations on to the extension pg_graphql, under a role that sees the views of the schema graphql_api
// and nothing else, as the tenant of the context.
package pggraphql

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// MaxRows is how many rows a page has at most, and when the operation does not say: max_rows of the schema.
const MaxRows = 100

// schema is the only one that pg_graphql sees.
const schema = "graphql_api"

// workMem bounds the memory of each sort and hash of an operation.
const workMem = "16MB"

// DefaultTimeout is how long an operation may take.
const DefaultTimeout = 5 * time.Second

// Request is one operation. The caller has checked its limits and knows whether it is a mutation.
type Request struct {
	Query         string
	OperationName string
	Variables     map[string]any
	Mutation      bool
}

// Answer is what pg_graphql says. Data is null or missing when all of it failed.
type Answer struct {
	Data   json.RawMessage
	Errors errs.List
}

// Repo calls the extension.
type Repo struct {
	db      db.Handle
	timeout time.Duration
}

// New returns a Repo whose operations take at most the timeout; zero is DefaultTimeout.
func New(h db.Handle, timeout time.Duration) *Repo {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return &Repo{db: h, timeout: timeout}
}

type answer struct {
	Text []byte `db:"text"`
}

// errUndone rolls a mutation with errors back. pg_graphql has done so itself.
var errUndone = errors.New("the operation has errors")

// Resolve runs an operation in one transaction, which for a query is read only. What is wrong with the operation is in the answer.
// It is NotImplemented where the extension is missing, Forbidden for a mutation of a caller who may write nothing here,
// Timeout when it took too long.
func (r *Repo) Resolve(ctx context.Context, q Request) (Answer, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Answer{}, err
	}
	f := db.Frame{Role: role(s), SearchPath: schema, ReadOnly: !q.Mutation, Timeout: r.timeout, WorkMem: workMem, Messages: "C"}
	if q.Mutation && f.Role != db.RoleGraphQLWrite {
		return Answer{}, errs.New(errs.Forbidden, "This needs the permission documents:write, jobs:write or users:write.")
	}
	args := pgx.NamedArgs{"query": q.Query, "variables": "{}", "operation": nil}
	if q.OperationName != "" {
		args["operation"] = q.OperationName
	}
	if len(q.Variables) > 0 {
		text, err := json.Marshal(q.Variables)
		if err != nil {
			return Answer{}, errs.Field("variables", "The variables cannot be read.")
		}
		args["variables"] = string(text)
	}
	var out Answer
	err = db.DoIn(ctx, r.db, f, func(ctx context.Context, tx *db.Tx) error {
		row, err := db.Get[answer](ctx, tx, "answer", `
			-- name: pggraphql.Resolve
			SELECT graphql.resolve(@query, @variables::text::jsonb, @operation) AS text`, args)
		if err != nil {
			return err
		}
		if out, err = read(row.Text); err == nil && q.Mutation && len(out.Errors) > 0 {
			return errUndone
		}
		return err
	})
	if errors.Is(err, errUndone) {
		out.Data, err = nil, nil
	}
	return out, failure(err)
}

// role is the least that the caller needs. What it may do with which view is asked for by the views (assert_scope).
func role(s tenant.Scope) db.Role {
	if slices.ContainsFunc([]string{"documents:write", "jobs:write", "users:write"}, s.Allows) {
		return db.RoleGraphQLWrite
	}
	return db.RoleGraphQL
}

// failure explains an error of PostgreSQL that comes from what is not there or not granted.
func failure(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "3F000", "42883": // no schema graphql, no function in it
		return errs.Wrap(errs.NotImplemented, err, "This server does not have the extension pg_graphql, whose operation this is.")
	case "42501", "22023": // the schema is not opened to the role; the role is not there, or not the login's
		return errs.Wrap(errs.NotImplemented, err,
			"This server may not use its extension pg_graphql; run `stackforge migrate` as a superuser.")
	}
	return err
}
