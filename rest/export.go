package rest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/repo/tenancy"
	"stackforge/tenant"
)

// exporter is what this file needs of tenancy.Exporter.
type exporter interface {
	Export(ctx context.Context, w io.Writer) (tenancy.Trailer, error)
}

const (
	exportsAtOnce = 2                // each holds a connection and a snapshot of the database
	exportStalls  = 30 * time.Second // a client that takes nothing for so long is gone
)

// NewExport returns the handler of GET /tenant/export: all rows of the caller's tenant as lines of JSON, sent as they are read.
// It stands behind API.Protect. At most two run at a time; more are RATE_LIMITED. An
// export that fails half way is cut off, and has no trailer.
func NewExport(e exporter, log zerolog.Logger) http.Handler {
	slots := make(chan struct{}, exportsAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := tenant.From(r.Context())
		if err != nil {
			httpd.WriteError(w, r, err)
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			httpd.WriteError(w, r, errs.New(errs.RateLimited, "Other exports are under way; try again later."))
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="tenant-%s.ndjson"`, s.TenantID))
		h.Set("Cache-Control", "no-store")
		if r.Method == http.MethodHead {
			return
		}
		out := &exportWriter{w: w, control: http.NewResponseController(w)}
		if _, err := e.Export(r.Context(), out); err != nil {
			if !out.begun {
				h.Del("Content-Disposition")
				httpd.WriteError(w, r, err)
				return
			}
			log.Warn().Err(err).Str("requestId", tenant.RequestID(r.Context())).Msg("an export was cut off")
			panic(http.ErrAbortHandler)
		}
	})
}

// exportWriter gives each write its own time, and knows whether there was one.
type exportWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

// Write writes within exportStalls.
func (e *exportWriter) Write(p []byte) (int, error) {
	e.begun = true
	// A connection that cannot have deadlines is a test's.
	_ = e.control.SetWriteDeadline(time.Now().Add(exportStalls))
	return e.w.Write(p)
}
