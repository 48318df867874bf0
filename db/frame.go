package db

import (
	"context"
	"strconv"
	"time"
)

// Frame is how a transaction differs from the others of its pool. Everything in it ends with the transaction.
type Frame struct {
	Role       Role
	SearchPath string
	ReadOnly   bool
	Timeout    time.Duration // of each statement; the whole takes at most a second more
	WorkMem    string        // as PostgreSQL writes it, for instance "16MB"
	Messages   string        // lc_messages, the language of errors, where Role may set it; "" for the server's
}

// The old values are read before the new ones are set; transaction_read_only can only be tightened. The role comes before the
// language in one and after it in the other: it is the frame's that may set it.
const frameSQL = `
	WITH old AS MATERIALIZED (
	    SELECT current_setting('role') AS role, current_setting('search_path') AS path,
	           current_setting('statement_timeout') AS timeout, current_setting('work_mem') AS mem,
	           current_setting('lc_messages') AS messages)
	SELECT role, path, timeout, mem, messages,
	       set_config('role', $1, true) || set_config('search_path', $2, true) || set_config('statement_timeout', $3, true)
	           || set_config('work_mem', $4, true) || CASE WHEN $6 <> '' AND has_parameter_privilege('lc_messages', 'SET')
	           THEN set_config('lc_messages', $6, true) ELSE '' END || CASE WHEN $5 THEN set_config('transaction_read_only', 'on', true) ELSE '' END
	FROM old`

const unframeSQL = `
	SELECT CASE WHEN current_setting('lc_messages') <> $5 THEN set_config('lc_messages', $5, true) END,
	       set_config('role', $1, true), set_config('search_path', $2, true), set_config('statement_timeout', $3, true),
	       set_config('work_mem', $4, true)`

// DoIn is h.Do within a frame. In a transaction that is open already the frame ends with fn, unless it is read only.
func DoIn(ctx context.Context, h Handle, f Frame, fn func(ctx context.Context, tx *Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, f.Timeout+time.Second)
	defer cancel()
	return h.Do(ctx, func(tx *Tx) error {
		var old [5]string
		err := tx.tx.QueryRow(ctx, frameSQL, string(f.Role), f.SearchPath, strconv.FormatInt(f.Timeout.Milliseconds(), 10), f.WorkMem, f.ReadOnly, f.Messages).
			Scan(&old[0], &old[1], &old[2], &old[3], &old[4], new(string))
		if err != nil {
			return fromPG(err)
		}
		if err := fn(ctx, tx); err != nil || !tx.nested {
			return err
		}
		_, err = tx.tx.Exec(ctx, unframeSQL, old[0], old[1], old[2], old[3], old[4])
		return fromPG(err)
	})
}
