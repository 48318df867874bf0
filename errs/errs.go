// Package errs is the error model: one table leads from a failure to a stable code, an HTTP status,
// a SQLSTATE of our own and to what a worker does with it.
package errs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Code is the stable name of a kind of failure; clients see it as `extensions.code` (GraphQL) and `code` (REST).
type Code string

// The codes. The table below says what each one means at every door.
const (
	Validation      Code = "VALIDATION_FAILED"
	InvalidPayload  Code = "INVALID_JOB_PAYLOAD"
	Unauthenticated Code = "UNAUTHENTICATED"
	Forbidden       Code = "FORBIDDEN"
	NotFound        Code = "NOT_FOUND"
	Conflict        Code = "CONFLICT"
	TooLarge        Code = "PAYLOAD_TOO_LARGE"
	RateLimited     Code = "RATE_LIMITED"
	NotImplemented  Code = "NOT_IMPLEMENTED"
	Unavailable     Code = "UNAVAILABLE"
	Timeout         Code = "TIMEOUT"
	Internal        Code = "INTERNAL"
)

// Row is one line of the table.
type Row struct {
	Code    Code
	Status  int      // HTTP status of REST answers
	State   string   // SQLSTATE that our SQL functions raise; "" when they never do
	SQL     []string // PostgreSQL's own states (five characters) or classes (two) that mean this
	Retry   bool     // a worker tries the job again
	Message string   // what a client reads when PostgreSQL raised it
}

// Table returns every code. No SQLSTATE stands in two rows.
func Table() []Row {
	return []Row{
		{Validation, http.StatusBadRequest, "ZE400", []string{"22", "23502", "23514"}, false, "The input is not valid."},
		{InvalidPayload, http.StatusBadRequest, "ZE422", nil, false, "The job's payload does not match its type."},
		{Unauthenticated, http.StatusUnauthorized, "ZE401", nil, false, "A valid API key or token is required."},
		{Forbidden, http.StatusForbidden, "ZE403", []string{"42501"}, false, "This is not allowed."},
		{NotFound, http.StatusNotFound, "ZE404", []string{"P0002"}, false, "There is no such thing."},
		{Conflict, http.StatusConflict, "ZE409", []string{"23505", "23503", "23P01"}, false, "This conflicts with what is already there."},
		{TooLarge, http.StatusRequestEntityTooLarge, "ZE413", []string{"54"}, false, "The request is too large."},
		{RateLimited, http.StatusTooManyRequests, "ZE429", nil, true, "Too many requests; try again later."},
		{NotImplemented, http.StatusNotImplemented, "ZE501", []string{"0A000"}, false, "This server does not offer that."},
		{Unavailable, http.StatusServiceUnavailable, "", []string{"08", "40001", "40P01", "53", "55P03", "57P01", "57P02", "57P03", "57P05"}, true, "The service is unavailable for the moment; try again."},
		{Timeout, http.StatusGatewayTimeout, "", []string{"57014"}, true, "The request took too long."},
		{Internal, http.StatusInternalServerError, "", nil, true, "Something went wrong on our side."},
	}
}

// Error is what every layer returns. Message is written for the client; the cause goes to the log only.
type Error struct {
	Code    Code
	Message string
	Field   string // the input field it is about, "" when none
	cause   error
}

// Error returns the client's message; the cause is reached by Unwrap.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Unwrap returns the cause, for errors.Is and the log.
func (e *Error) Unwrap() error { return e.cause }

// New returns an error with a message for the client.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Newf is New with a format. Arguments must be fit for a client to read.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Field returns a Validation error about one input field.
func Field(field, message string) *Error {
	return &Error{Code: Validation, Field: field, Message: message}
}

// Wrap returns an error with a code and a message for the client that keeps its cause for the log.
func Wrap(code Code, cause error, message string) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

// List is several input errors that are reported together.
type List []*Error //nolint:errname,recvcheck // a list of input errors; only Add changes it

// Error joins the messages.
func (l List) Error() string {
	texts := make([]string, len(l))
	for i, e := range l {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the parts, for errors.As.
func (l List) Unwrap() []error {
	out := make([]error, len(l))
	for i, e := range l {
		out[i] = e
	}
	return out
}

// Add appends a Validation error about one field.
func (l *List) Add(field, message string) { *l = append(*l, Field(field, message)) }

// Err returns nil when the list is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// From returns the *Error within err, or an Internal one that keeps err as its cause. It is nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return Wrap(Timeout, err, row(Timeout).Message)
	case errors.Is(err, context.Canceled):
		return Wrap(Unavailable, err, "The request was cancelled.")
	default:
		return Wrap(Internal, err, row(Internal).Message)
	}
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool { return err != nil && From(err).Code == code }

// Status returns the HTTP status of a code.
func Status(code Code) int { return row(code).Status }

// Retryable reports whether a worker should try again after this error.
func Retryable(err error) bool { return row(From(err).Code).Retry }

// FromSQL turns a PostgreSQL error into an *Error. Only messages of our own states (class ZE) reach the client; field
// is the column or, for class ZE, what the function put into the error's COLUMN.
func FromSQL(state, message, field string, cause error) *Error {
	r := rowOfState(state)
	e := &Error{Code: r.Code, Message: r.Message, Field: field, cause: cause}
	if strings.HasPrefix(state, "ZE") {
		e.Message = message
	}
	return e
}

func row(code Code) Row {
	for _, r := range Table() {
		if r.Code == code {
			return r
		}
	}
	return row(Internal)
}

func rowOfState(state string) Row {
	class := state
	if len(state) == 5 {
		class = state[:2]
	}
	byClass := row(Internal)
	for _, r := range Table() {
		if state != "" && r.State == state {
			return r
		}
		for _, s := range r.SQL {
			if s == state {
				return r
			}
			if s == class {
				byClass = r
			}
		}
	}
	return byClass
}
