package httpd

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// recorder remembers what was answered. It offers what http.ResponseController and older code look for: Unwrap, Flush,
// Hijack, ReadFrom.
type recorder struct {
	http.ResponseWriter

	routed   *http.Request // the request that a ServeMux routes: its Pattern is set then
	status   int
	bytes    int64
	err      error // as told by WriteError or Note
	sent     bool  // the header is out
	hijacked bool
	replaced bool // the plain text that follows is dropped
}

// recorderOf finds the recorder below other wrappers, or nil.
func recorderOf(w http.ResponseWriter) *recorder {
	for {
		switch v := w.(type) {
		case *recorder:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}

// code is the status that the client saw; 200 when a handler wrote nothing.
func (rec *recorder) code() int {
	if rec.status == 0 {
		return http.StatusOK
	}
	return rec.status
}

// Flush sends what is buffered.
func (rec *recorder) Flush() { _ = rec.FlushError() }

// FlushError sends what is buffered. It is http.ErrNotSupported when the server cannot.
func (rec *recorder) FlushError() error {
	rec.sent = true
	return http.NewResponseController(rec.ResponseWriter).Flush()
}

// Hijack hands the connection over. It is http.ErrNotSupported when the server cannot.
func (rec *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(rec.ResponseWriter).Hijack()
	if err == nil {
		rec.hijacked, rec.sent = true, true
		if rec.status == 0 {
			rec.status = http.StatusSwitchingProtocols
		}
	}
	return conn, rw, err
}

// ReadFrom copies a file by the fastest way there is.
func (rec *recorder) ReadFrom(src io.Reader) (int64, error) {
	if rec.replaced {
		return io.Copy(io.Discard, src)
	}
	rec.sent = true
	n, err := io.Copy(rec.ResponseWriter, src)
	rec.bytes += n
	return n, err
}

// Unwrap returns the server's writer, for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// Write sends a part of the body.
func (rec *recorder) Write(p []byte) (int, error) {
	if rec.replaced {
		return len(p), nil
	}
	rec.sent = true
	n, err := rec.ResponseWriter.Write(p)
	rec.bytes += int64(n)
	return n, err
}

// WriteHeader sends the header. The plain 404 and 405 of a ServeMux become JSON.
func (rec *recorder) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		rec.ResponseWriter.WriteHeader(status) // 100 and 103 come before the answer
		return
	}
	if rec.status == 0 {
		rec.status = status
	}
	if !rec.sent && rec.routed.Pattern == "" && isPlain(rec.Header()) {
		switch status {
		case http.StatusNotFound:
			rec.replace(status, "NOT_FOUND", "There is nothing at this path.")
			return
		case http.StatusMethodNotAllowed:
			rec.replace(status, "METHOD_NOT_ALLOWED", "This path does not take this method; see the Allow header.")
			return
		}
	}
	rec.sent = true
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) replace(status int, code, message string) {
	WriteStatus(rec, rec.routed, status, code, message)
	rec.replaced = true
}

func isPlain(h http.Header) bool {
	types := h["Content-Type"]
	return len(types) == 1 && types[0] == "text/plain; charset=utf-8"
}
