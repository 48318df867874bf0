package httpd

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"stackforge/errs"
	"stackforge/tenant"
)

// Body is the form of every error answer.
type Body struct {
	StatusCode int     `json:"statusCode"`
	Error      string  `json:"error"` // text of the status
	Message    string  `json:"message"`
	Code       string  `json:"code"`
	RequestID  string  `json:"requestId"`
	Fields     []Field `json:"fields,omitempty"`
}

// Field is one input field that is not as it should be.
type Field struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// NewBody returns what a client reads of an error. Several input errors come together, with a line for each field; a
// body over its limit is PAYLOAD_TOO_LARGE; what is not an *errs.Error is a generic INTERNAL.
func NewBody(r *http.Request, err error) Body {
	e := known(err)
	status := errs.Status(e.Code)
	b := Body{
		StatusCode: status, Error: http.StatusText(status), Message: e.Message, Code: string(e.Code),
		RequestID: tenant.RequestID(r.Context()),
	}
	list, ok := errors.AsType[errs.List](err)
	if ok && len(list) > 1 {
		b.Message = list.Error()
	} else {
		list = errs.List{e}
	}
	for _, part := range list {
		if part.Field != "" {
			b.Fields = append(b.Fields, Field{Field: part.Field, Message: part.Message})
		}
	}
	return b
}

// known turns the errors of net/http into ours.
func known(err error) *errs.Error {
	if long, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errs.Newf(errs.TooLarge, "The body is longer than %d bytes.", long.Limit)
	}
	return errs.From(err)
}

// WriteError answers with an error, and gives its code and, for a fault of ours, its cause to the access log. It sets
// WWW-Authenticate on 401, and Retry-After on 429, and on 503 when the error knows a time by a method RetryAfter.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	Note(w, known(err))
	b := NewBody(r, err)
	h := w.Header()
	switch b.StatusCode {
	case http.StatusUnauthorized:
		if h.Get("Www-Authenticate") == "" {
			h.Set("Www-Authenticate", `Bearer realm="stackforge"`)
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if seconds := retryAfter(err, b.StatusCode); seconds > 0 && h.Get("Retry-After") == "" {
			h.Set("Retry-After", strconv.Itoa(seconds))
		}
	}
	write(w, b)
}

// retryAfter is in whole seconds, rounded up; 0 is unknown.
func retryAfter(err error, status int) int {
	var timed interface{ RetryAfter() time.Duration }
	if errors.As(err, &timed) {
		return max(1, int(math.Ceil(timed.RetryAfter().Seconds())))
	}
	if status == http.StatusTooManyRequests {
		return 1
	}
	return 0
}

// WriteStatus answers with a status that no errs.Code stands for, such as 405 or 415, in the same form.
func WriteStatus(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	write(w, Body{
		StatusCode: status, Error: http.StatusText(status), Message: message, Code: code,
		RequestID: tenant.RequestID(r.Context()),
	})
}

func write(w http.ResponseWriter, b Body) {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // texts and numbers can always be encoded
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(b.StatusCode)
	_, _ = w.Write(append(text, '\n')) // a client that went away is no news
}

// Note gives an error to the access log, for doors that write another form of answer. Nothing is sent.
func Note(w http.ResponseWriter, err error) {
	if rec := recorderOf(w); rec != nil {
		rec.err = err
	}
}
