package httpd

import (
	"errors"
	"io"
	"net/http"
	"time"

	"stackforge/errs"
)

// LimitBody refuses bodies of more than size bytes with 413, at once when their length is declared, else when a read
// passes it (the read error, given to WriteError, answers 413). A body must arrive within the time, or its reads fail;
// 0 allows any time.
func LimitBody(next http.Handler, size int64, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		if r.ContentLength > size {
			w.Header().Set("Connection", "close") // what is on its way is not worth reading
			WriteError(w, r, errs.Newf(errs.TooLarge, "The body is longer than %d bytes.", size))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, size)
		if within > 0 {
			if http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) == nil {
				r.Body = &timedBody{r.Body}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody names the reason when the deadline of the connection ends a read. The deadline is for the body only: net/http
// lifts it when the body has been read.
type timedBody struct{ io.ReadCloser }

// Read reads a part of the body. It is errs.Timeout when the body took too long.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		err = errs.Wrap(errs.Timeout, err, "The body took too long to arrive.")
	}
	return n, err
}
