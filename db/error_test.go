package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/tenant"
)

// What PostgreSQL raises becomes a code, the input field it is about, and a message without a word of SQL.
func TestErrors(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	d.Exec(t, `
		CREATE FUNCTION fail(p_state text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
		    RAISE EXCEPTION 'secret internals of %', p_state USING ERRCODE = p_state;
		END $$;
		CREATE TABLE parts (id int PRIMARY KEY, weight_kg int NOT NULL, during int4range,
		    CONSTRAINT parts_weight_kg_check CHECK (weight_kg > 0), CONSTRAINT parts_during_excl EXCLUDE USING gist (during WITH &&));
		GRANT ALL ON parts TO app_api`)
	scope := dbtest.Tenant(t, d)
	ctx := tenant.With(t.Context(), scope)
	_, err := db.Exec(ctx, d.API, `INSERT INTO parts VALUES (1, 1, '[1,5)')`)
	require.NoError(t, err)

	cases := map[string]struct {
		sql   string
		args  []any
		code  errs.Code
		field string
	}{
		"unique":             {`INSERT INTO app_users (tenant_id, email) VALUES (current_tenant(), 'User@Example.org')`, nil, errs.Conflict, "email"},
		"foreign key":        {`INSERT INTO documents (tenant_id, author_id, title, body) VALUES (current_tenant(), $1, 'x', 'x')`, []any{uuid.New()}, errs.Conflict, "authorId"},
		"check":              {`INSERT INTO app_users (tenant_id, email) VALUES (current_tenant(), 'x')`, nil, errs.Validation, "email"},
		"check of two words": {`INSERT INTO parts VALUES (2, -1)`, nil, errs.Validation, "weightKg"},
		"not null":           {`INSERT INTO parts (id) VALUES (2)`, nil, errs.Validation, "weightKg"},
		"exclusion":          {`INSERT INTO parts VALUES (2, 1, '[2,3)')`, nil, errs.Conflict, "during"},
		"no number":          {`SELECT ($1::text)::int`, []any{"x"}, errs.Validation, ""},
		"no uuid":            {`SELECT ($1::text)::uuid`, []any{"x"}, errs.Validation, ""},
		"out of range":       {`SELECT 2147483647 + 1`, nil, errs.Validation, ""},
		"a NUL":              {`SELECT $1::text`, []any{"a\x00b"}, errs.Validation, ""},
		"broken UTF-8":       {`SELECT $1::text`, []any{"a\xff"}, errs.Validation, ""},
		"row-level security": {`INSERT INTO app_users (tenant_id, email) VALUES ($1, 'a@example.org')`, []any{uuid.New()}, errs.Forbidden, ""},
		"no privilege":       {`SELECT key_hash FROM api_keys`, nil, errs.Forbidden, ""},
		"our ZE400":          {`DO $$ BEGIN RAISE EXCEPTION 'This is in the past.' USING ERRCODE = 'ZE400', COLUMN = 'runAt'; END $$`, nil, errs.Validation, "runAt"},
		"our field is kept":  {`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'ZE409', COLUMN = 'documents[1].external_id'; END $$`, nil, errs.Conflict, "documents[1].external_id"},
		"our state as hint":  {`DO $$ BEGIN RAISE EXCEPTION 'There is no such job.' USING ERRCODE = 'P0001', HINT = 'ZE404'; END $$`, nil, errs.NotFound, ""},
		"ZE422":              {`SELECT fail('ZE422')`, nil, errs.InvalidPayload, ""},
		"ZE401":              {`SELECT fail('ZE401')`, nil, errs.Unauthenticated, ""},
		"ZE403":              {`SELECT fail('ZE403')`, nil, errs.Forbidden, ""},
		"ZE413":              {`SELECT fail('ZE413')`, nil, errs.TooLarge, ""},
		"ZE429":              {`SELECT fail('ZE429')`, nil, errs.RateLimited, ""},
		"ZE501":              {`SELECT fail('ZE501')`, nil, errs.NotImplemented, ""},
		"no data found":      {`SELECT fail('P0002')`, nil, errs.NotFound, ""},
		"not supported":      {`SELECT fail('0A000')`, nil, errs.NotImplemented, ""},
		"too large":          {`SELECT fail('54000')`, nil, errs.TooLarge, ""},
		"lock":               {`SELECT fail('55P03')`, nil, errs.Unavailable, ""},
		"too many clients":   {`SELECT fail('53300')`, nil, errs.Unavailable, ""},
		"disk full":          {`SELECT fail('53100')`, nil, errs.Unavailable, ""},
		"connection":         {`SELECT fail('08006')`, nil, errs.Unavailable, ""},
		"shutdown":           {`SELECT fail('57P01')`, nil, errs.Unavailable, ""},
		"cancelled":          {`SELECT fail('57014')`, nil, errs.Timeout, ""},
		"a bug in a body":    {`SELECT fail('42P01')`, nil, errs.Internal, ""},
		"a broken statement": {`SELEKT`, nil, errs.Internal, ""},
		"raise":              {`SELECT fail('P0001')`, nil, errs.Internal, ""},
		"corruption":         {`SELECT fail('XX001')`, nil, errs.Internal, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := db.Exec(ctx, d.API, c.sql, c.args...)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code, e.Code, "%v", errors.Unwrap(e))
			require.Equal(t, c.field, e.Field)
			if !strings.Contains(c.sql, "ZE") {
				for _, leak := range []string{"secret", "app_users", "documents", "api_keys", "parts", "SELE", "violates", "uuid:"} {
					require.NotContains(t, e.Error(), leak)
				}
				require.Error(t, errors.Unwrap(e), "the log gets the cause")
			}
		})
	}
}

func TestErrorList(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	ctx := tenant.With(t.Context(), dbtest.Tenant(t, d))
	_, err := db.Exec(ctx, d.API, `SELECT create_api_key(current_tenant(), '', 'sk_live_xxxx', repeat('a', 64), '{bad scope}', '2000-01-01')`)
	var list errs.List
	require.ErrorAs(t, err, &list)
	fields := []string{}
	for _, e := range list {
		require.Equal(t, errs.Validation, e.Code)
		require.NotEmpty(t, e.Message)
		fields = append(fields, e.Field)
	}
	require.Equal(t, []string{"name", "scopes", "expiresAt"}, fields, "all of them, in one answer")

	_, err = db.Exec(ctx, d.API, `SELECT create_api_key(current_tenant(), '', 'sk_live_xxxx', repeat('a', 64), '{*}')`)
	require.Equal(t, errs.Validation, code(err))
	require.Equal(t, "name", errs.From(err).Field, "a single one is itself")
}

func TestUnreachable(t *testing.T) {
	t.Parallel()

	h, err := db.Open(t.Context(), db.Config{URL: "postgres://nobody:hidden@127.0.0.1:1/none?connect_timeout=1", MinConns: -1})
	require.NoError(t, err, "it connects at the first statement")
	defer h.Close(0)
	_, err = db.Get[int](t.Context(), db.Read(h), "number", `SELECT 1`)
	require.Equal(t, errs.Unavailable, code(err))
	require.NotContains(t, err.Error(), "127.0.0.1")
	require.Equal(t, errs.Unavailable, code(h.Ready(t.Context(), 1e9)))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := dbtest.New(t)
	_, err = db.Get[int](ctx, d.API, "number", `SELECT 1`)
	require.Equal(t, errs.Unavailable, code(err))
	require.ErrorIs(t, err, context.Canceled)
}
