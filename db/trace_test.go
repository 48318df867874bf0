package db_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/tenant"
)

func TestName(t *testing.T) {
	t.Parallel()

	for sql, want := range map[string]string{
		"-- name: job.Claim\nSELECT 1":             "job.Claim",
		"\n\t\t-- name: job.Claim\n\t\tSELECT 1":   "job.Claim",
		"-- name: job.Claim  \r\nSELECT 1":         "job.Claim",
		"-- name: job.Claim":                       "job.Claim",
		"SELECT 1":                                 "unnamed",
		"SELECT 1 -- name: job.Claim":              "unnamed",
		"-- another comment\n-- name: x\nSELECT 1": "unnamed",
		"":                            "unnamed",
		"--name: job.Claim\nSELECT 1": "unnamed",
		"\r\n -- name: a.B\n-- name: c.D\nSELECT 1": "a.B",
	} {
		require.Equal(t, want, db.Name(sql), sql)
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()

	type seen struct {
		name, class string
		rows        int64
	}
	d := dbtest.New(t)
	var got []seen
	h := d.Open(t, db.Config{Role: db.RoleAPI, Hooks: []db.Hook{func(ctx context.Context, q db.Query) {
		require.Equal(t, "r-1", tenant.RequestID(ctx))
		require.Positive(t, q.Duration)
		require.WithinDuration(t, time.Now(), q.Start, time.Minute)
		got = append(got, seen{q.Name, q.ErrorClass, q.Rows})
	}}})
	ctx := tenant.WithRequestID(t.Context(), "r-1")

	_, _ = db.List[int](ctx, h, "-- name: a.List\nSELECT generate_series(1, 3)")
	_, _ = db.Get[int](ctx, h, "row", "-- name: a.Get\nSELECT 1")
	_, _ = db.Get[int](ctx, h, "row", "-- name: a.None\nSELECT 1 WHERE false")
	_, _ = db.Exec(ctx, h, "-- name: a.Bad\nSELECT 1/0")
	_ = h.Do(ctx, func(tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, "-- name: a.InTx\nSELECT generate_series(1, 2)")
		return err
	})
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, _ = db.Exec(cancelled, h, "-- name: a.Cancelled\nSELECT 1")
	require.Equal(t, []seen{
		{"a.List", "", 3},
		{"a.Get", "", 1},
		{"a.None", "", 0},
		{"a.Bad", "22", 0},
		{"a.InTx", "", 2},
		{"a.Cancelled", "ctx", 0},
	}, got)
}

func TestTransactionHook(t *testing.T) {
	t.Parallel()

	var got []bool
	d := dbtest.New(t)
	h := d.Open(t, db.Config{Role: db.RoleAPI, Transaction: func(committed bool, took time.Duration) {
		require.Positive(t, took)
		got = append(got, committed)
	}})
	require.NoError(t, h.Do(t.Context(), func(*db.Tx) error { return nil }))
	require.Error(t, h.Do(t.Context(), func(*db.Tx) error { return errs.New(errs.Conflict, "no") }))
	require.Panics(t, func() { _ = h.Do(t.Context(), func(*db.Tx) error { panic("boom") }) })
	require.Equal(t, []bool{true, false, false}, got)
}

func TestLogQueries(t *testing.T) {
	t.Parallel()

	type line struct {
		Level      string `json:"level"`
		RequestID  string `json:"requestId"`
		QueryName  string `json:"queryName"`
		Rows       int64  `json:"rows"`
		ErrorClass string `json:"errorClass"`
	}
	var out bytes.Buffer
	hook := db.LogQueries(zerolog.New(&out), time.Second)
	ctx := tenant.WithRequestID(t.Context(), "r-1")
	hook(ctx, db.Query{Name: "job.Claim", Duration: 999 * time.Millisecond, Rows: 2})
	hook(ctx, db.Query{Name: "job.Claim", Duration: time.Second, ErrorClass: "57"})
	var got []line
	for dec := json.NewDecoder(&out); dec.More(); {
		var l line
		require.NoError(t, dec.Decode(&l))
		got = append(got, l)
	}
	require.Equal(t, []line{
		{"debug", "r-1", "job.Claim", 2, ""},
		{"warn", "r-1", "job.Claim", 0, "57"},
	}, got)
}
