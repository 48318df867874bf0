package errs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/errs"
)

func TestTable(t *testing.T) {
	t.Parallel()

	t.Run("no state, code or own state stands in two rows", func(t *testing.T) {
		t.Parallel()

		seen := map[string]errs.Code{}
		for _, row := range errs.Table() {
			for _, state := range append([]string{string(row.Code), row.State}, row.SQL...) {
				if state == "" {
					continue
				}
				require.NotContains(t, seen, state, "%s stands in %s, too", state, seen[state])
				seen[state] = row.Code
			}
		}
		require.Greater(t, len(seen), 30)
	})

	t.Run("every row is complete", func(t *testing.T) {
		t.Parallel()

		for _, row := range errs.Table() {
			require.Regexp(t, `^[A-Z][A-Z_]+$`, row.Code)
			require.NotEmpty(t, http.StatusText(row.Status), row.Code)
			require.GreaterOrEqual(t, row.Status, 400, row.Code)
			require.Regexp(t, `^[A-Z].*\.$`, row.Message, "a sentence")
			if row.State != "" {
				require.Equal(t, fmt.Sprintf("ZE%d", row.Status), state(row), "the state tells the status")
			}
			for _, s := range row.SQL {
				require.Regexp(t, `^[0-9A-Z]{2}([0-9A-Z]{3})?$`, s)
				require.False(t, strings.HasPrefix(s, "ZE"), s)
			}
			require.Equal(t, row.Status, errs.Status(row.Code))
			require.Equal(t, row.Retry, errs.Retryable(errs.New(row.Code, "x")))
		}
	})

	t.Run("the schema has the same codes", func(t *testing.T) {
		t.Parallel()

		text, err := os.ReadFile("../schema.graphqls")
		require.NoError(t, err)
		enum := regexp.MustCompile(`(?s)enum ErrorCode \{(.*?)\n\}`).FindStringSubmatch(string(text))
		if enum == nil {
			t.Skip("the schema does not list the codes")
		}
		listed := regexp.MustCompile(`(?m)^  ([A-Z_]+)$`).FindAllStringSubmatch(enum[1], -1)
		var want, got []string
		for _, row := range errs.Table() {
			want = append(want, string(row.Code))
		}
		for _, m := range listed {
			if !strings.HasPrefix(m[1], "GRAPHQL_") {
				got = append(got, m[1])
			}
		}
		require.ElementsMatch(t, want, got)
	})
}

// state is the row's state. A payload that breaks its schema is a 400 with a state of its own.
func state(row errs.Row) string {
	if row.Code == errs.InvalidPayload {
		return "ZE400"
	}
	return row.State
}

func TestFromSQL(t *testing.T) {
	t.Parallel()

	cause := errors.New("ERROR: duplicate key value violates unique constraint")
	for sql, want := range map[string]errs.Code{
		"23505": errs.Conflict, "23503": errs.Conflict, "23502": errs.Validation, "23514": errs.Validation,
		"22P02": errs.Validation, "22001": errs.Validation, "42501": errs.Forbidden, "P0002": errs.NotFound,
		"40001": errs.Unavailable, "53300": errs.Unavailable, "08006": errs.Unavailable, "57014": errs.Timeout,
		"57P01": errs.Unavailable, "0A000": errs.NotImplemented, "54001": errs.TooLarge,
		"42P01": errs.Internal, "40002": errs.Internal, "XX000": errs.Internal, "P0001": errs.Internal, "": errs.Internal, "ZE999": errs.Internal,
		"ZE400": errs.Validation, "ZE401": errs.Unauthenticated, "ZE403": errs.Forbidden, "ZE404": errs.NotFound,
		"ZE409": errs.Conflict, "ZE413": errs.TooLarge, "ZE422": errs.InvalidPayload, "ZE429": errs.RateLimited, "ZE501": errs.NotImplemented,
	} {
		e := errs.FromSQL(sql, "the text", "title", cause)
		require.Equal(t, want, e.Code, sql)
		require.Equal(t, "title", e.Field, sql)
		require.ErrorIs(t, e, cause, sql)
		if strings.HasPrefix(sql, "ZE") {
			require.Equal(t, "the text", e.Message, "we wrote it")
		} else {
			require.NotContains(t, e.Message, "the text", "PostgreSQL wrote it: %s", sql)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()

	require.Nil(t, errs.From(nil))
	own := errs.Field("title", "This must not be blank.")
	require.Same(t, own, errs.From(own))
	require.Same(t, own, errs.From(fmt.Errorf("create: %w", own)), "however deep")
	require.Equal(t, errs.Timeout, errs.From(fmt.Errorf("x: %w", context.DeadlineExceeded)).Code)
	require.Equal(t, errs.Unavailable, errs.From(context.Canceled).Code)
	plain := errors.New("dial tcp 10.0.0.1: refused")
	e := errs.From(plain)
	require.Equal(t, errs.Internal, e.Code)
	require.ErrorIs(t, e, plain)
	require.NotContains(t, e.Error(), "10.0.0.1", "the cause is for the log")
	require.True(t, errs.Is(own, errs.Validation))
	require.False(t, errs.Is(nil, errs.Internal))
}

func TestList(t *testing.T) {
	t.Parallel()

	var l errs.List
	require.NoError(t, l.Err())
	l.Add("title", "This must not be blank.")
	l.Add("path", "This is not a path.")
	err := fmt.Errorf("create: %w", l.Err())
	require.EqualError(t, err, "create: title: This must not be blank.; path: This is not a path.")
	var got errs.List
	require.ErrorAs(t, err, &got)
	require.Len(t, got, 2)
	require.Equal(t, errs.Validation, errs.From(err).Code)
	require.Equal(t, http.StatusBadRequest, errs.Status(errs.From(err).Code))
}
