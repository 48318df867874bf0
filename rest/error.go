package rest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"

	"stackforge/errs"
	"stackforge/httpd"
)

// failure carries an error of ours through huma, which sends what has a status as it is.
type failure struct{ err error }

func (f *failure) Error() string  { return f.err.Error() }
func (f *failure) GetStatus() int { return errs.Status(errs.From(f.err).Code) }
func (f *failure) Unwrap() error  { return f.err }

// humaContext is a huma.Context by a name that does not hide its method Context.
type humaContext huma.Context

// exchange is one request on its way through huma. It knows why a body could not be read.
type exchange struct {
	humaContext

	w      http.ResponseWriter
	r      *http.Request
	body   *watchedBody
	status int
	sent   bool
}

func newExchange(op *huma.Operation, w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{humaContext: humago.NewContext(op, r, w), w: w, r: r}
	if r.Body != nil && r.Body != http.NoBody {
		x.body = &watchedBody{ReadCloser: r.Body}
		r.Body = x.body
	}
	return x
}

// SetStatus keeps the status until the body is there, so that the answer tells its length.
func (x *exchange) SetStatus(code int) {
	if x.status == 0 { // not that of an error of ours, where huma has another one
		x.status = code
	}
}

// BodyWriter returns the exchange, which takes a body in one piece.
func (x *exchange) BodyWriter() io.Writer { return x }

// Write sends status and body.
func (x *exchange) Write(p []byte) (int, error) {
	if !x.sent {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(p)))
		x.send()
	}
	return x.w.Write(p)
}

// send sends the status, unless it was sent.
func (x *exchange) send() {
	if !x.sent && x.status != 0 {
		x.sent = true
		x.w.WriteHeader(x.status)
	}
}

// watchedBody remembers why it could not be read.
type watchedBody struct {
	io.ReadCloser

	err error
}

// Read reads a part of the body.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// shape gives errors the one form that all doors answer with; huma calls it for every answer before it is sent.
func shape(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *failure:
		return refuse(ctx, e.err), nil
	case *huma.ErrorModel:
		return refuse(ctx, translate(ctx, e)), nil
	}
	return v, nil
}

// refuse is the body of an error; header and log are set as by httpd.WriteError.
func refuse(ctx huma.Context, err error) json.RawMessage {
	x, ok := ctx.(*exchange)
	if !ok {
		panic("rest: not an exchange of ours")
	}
	rec := &capture{x: x}
	if status, ok := errors.AsType[*unusual](err); ok {
		httpd.WriteStatus(rec, x.r, status.status, status.code, status.message)
	} else {
		httpd.WriteError(rec, x.r, err)
	}
	return rec.text
}

// capture takes what httpd writes.
type capture struct {
	x    *exchange
	text json.RawMessage
}

func (c *capture) Header() http.Header         { return c.x.w.Header() }
func (c *capture) Unwrap() http.ResponseWriter { return c.x.w }
func (c *capture) WriteHeader(status int)      { c.x.status = status }
func (c *capture) Write(p []byte) (int, error) { c.text = append(c.text, p...); return len(p), nil }

// unusual is an error whose status no errs.Code stands for.
type unusual struct {
	status        int
	code, message string
}

func (u *unusual) Error() string { return u.message }

// translate turns what huma found wrong with a request into an error of ours. Values are not quoted.
func translate(ctx huma.Context, e *huma.ErrorModel) error {
	x, _ := ctx.(*exchange)
	if x != nil && x.body != nil && x.body.err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](x.body.err); ok {
			return x.body.err
		}
		return &unusual{http.StatusRequestTimeout, "REQUEST_TIMEOUT", "The body did not arrive."}
	}
	switch {
	case e.Status == http.StatusUnsupportedMediaType:
		return &unusual{e.Status, "UNSUPPORTED_MEDIA_TYPE", "Send JSON: Content-Type: application/json."}
	case e.Status >= http.StatusInternalServerError:
		return errs.Wrap(errs.Internal, e, "Something went wrong on our side.")
	case len(e.Errors) == 0:
		return errs.Field("body", "A JSON body is required.")
	}
	var list errs.List
	for _, d := range e.Errors {
		field, message := detail(d)
		list.Add(field, message)
	}
	return list
}

// detail is what is wrong with one field.
func detail(d *huma.ErrorDetail) (field, message string) {
	place, field, _ := strings.Cut(d.Location, ".")
	message = d.Message
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	if name, ok := strings.CutPrefix(message, before); ok && place == "body" {
		if name, ok = strings.CutSuffix(name, after); ok {
			return strings.TrimPrefix(field+"."+name, "."), "This field is required."
		}
	}
	if name, ok := strings.CutPrefix(message, textError("").Error()); ok {
		return name, notText
	}
	if text, ok := strings.CutPrefix(message, "invalid value: "); ok { // our own sentence
		return field, text
	}
	if field == "" {
		if message == validation.MsgExpectedObject {
			return "body", "This must be an object."
		}
		return "body", "This is not JSON of the form that is asked for."
	}
	uuid, _, _ := strings.Cut(validation.MsgExpectedRFC4122UUID, ":")
	switch {
	case strings.HasPrefix(message, uuid):
		return field, "This is not a uuid."
	case message == validation.MsgExpectedRFC3339DateTime:
		return field, notMoment
	}
	switch message {
	case validation.MsgExpectedString:
		message = "This must be a string."
	case validation.MsgExpectedInteger:
		message = "This must be a whole number."
	case validation.MsgExpectedNumber:
		message = "This must be a number."
	case validation.MsgExpectedArray:
		message = "This must be a list."
	case validation.MsgExpectedObject:
		message = "This must be an object."
	case validation.MsgExpectedBoolean:
		message = "This must be true or false."
	default:
		if least, ok := bound(message, validation.MsgExpectedMinimumNumber); ok {
			message = "This must be at least " + least + "."
			break
		}
		if most, ok := bound(message, validation.MsgExpectedMaximumNumber); ok {
			message = "This must be at most " + most + "."
			break
		}
		message = strings.ToUpper(message[:1]) + message[1:] + "."
	}
	return field, message
}

// bound is the limit that a message of huma names, without an exponent.
func bound(message, form string) (string, bool) {
	before, _, _ := strings.Cut(form, "%v")
	text, ok := strings.CutPrefix(message, before)
	n, err := strconv.ParseFloat(text, 64)
	return strconv.FormatFloat(n, 'f', -1, 64), ok && err == nil
}

// errorsField finds the error about one field, to name it as the client knows it.
func errorsField(err error) (*errs.Error, bool) {
	e, ok := errors.AsType[*errs.Error](err)
	return e, ok && e.Field != ""
}
