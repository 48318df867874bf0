package rest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"stackforge/app"
	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/repo/file"
	"stackforge/scalar"
	"stackforge/storage"
)

// Files is what the routes of files need of app.Files.
type Files interface {
	FileReader
	Delete(ctx context.Context, id uuid.UUID) error
	Receive(ctx context.Context, s app.Signed, body io.Reader) error
	Upload(ctx context.Context, p app.UploadParams) (file.File, error)
	Verify(method string, id uuid.UUID, q url.Values) (app.Signed, error)
}

// FileReader is the part of Files that changes nothing.
type FileReader interface {
	Content(ctx context.Context, id uuid.UUID) (file.File, io.ReadSeekCloser, error)
	Get(ctx context.Context, id uuid.UUID) (file.File, error)
	Link(ctx context.Context, rec file.File, lifetime time.Duration) (app.Link, error)
	PublicURL(rec file.File) string
	SignedContent(ctx context.Context, s app.Signed) (file.File, io.ReadSeekCloser, error)
}

// File is a file as REST shows it.
type File struct {
	ID          uuid.UUID  `json:"id" format:"uuid" doc:"The id." example:"00000000-0000-0000-0000-000000000401"`
	Filename    string     `json:"filename" doc:"Its name without a path, at most 255 bytes." example:"notes.txt"`
	ContentType string     `json:"contentType" doc:"What its bytes are; where they leave it open, what was declared." example:"text/plain"`
	SizeBytes   int64      `json:"sizeBytes" doc:"Its length." example:"1048576"`
	Checksum    *string    `json:"checksum" doc:"SHA-256 in hexadecimal digits; null until it is ready." example:"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"`
	Status      string     `json:"status" enum:"pending,ready,deleting" doc:"Only what is ready can be downloaded." example:"ready"`
	UploaderID  *uuid.UUID `json:"uploaderId" format:"uuid" doc:"The user who sent it." example:"00000000-0000-0000-0000-000000000010"`
	CreatedAt   moment     `json:"createdAt" doc:"When its upload began."`
	DownloadURL string     `json:"downloadUrl,omitempty" format:"uri" doc:"Gives the file to whoever has it, until expiresAt. Of a file that is ready, in answers of GET." example:"https://files.example.org/files/00000000-0000-0000-0000-000000000401/content?tenant=…&expires=1767225600&signature=…"`
	ExpiresAt   *moment    `json:"expiresAt,omitempty" doc:"When downloadUrl ends to work, after 15 minutes."`
	PublicURL   string     `json:"publicUrl,omitempty" format:"uri" doc:"Where everybody may read it, when the server's storage is public." example:"https://public.example.org/notes.txt"`
}

func fileOf(rec file.File) File {
	return File{
		ID: rec.ID, Filename: rec.Filename, ContentType: rec.ContentType, SizeBytes: rec.SizeBytes, Checksum: rec.Checksum,
		Status: string(rec.Status), UploaderID: rec.UploaderID, CreatedAt: moment{rec.CreatedAt},
	}
}

// files adds the routes of files. They are plain handlers: bodies are streamed, and bounded by the largest file.
func (a *API) files() {
	f := &fileRoutes{a.Files, a.MaxFile}
	route := func(method, path, scope string, next http.HandlerFunc) {
		a.mux.Handle(method+" "+path, a.Protect(scope, next))
	}
	route(http.MethodPost, "/files", "files:write", f.upload)
	route(http.MethodGet, "/files/{id}", "files:read", f.get)
	route(http.MethodDelete, "/files/{id}", "files:write", f.remove)
	download, signed := a.Protect("files:read", http.HandlerFunc(f.download)), a.public(http.HandlerFunc(f.signedDownload))
	a.mux.HandleFunc("GET /files/{id}/content", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("signature") {
			signed.ServeHTTP(w, r)
			return
		}
		download.ServeHTTP(w, r)
	})
	a.mux.Handle("PUT /files/{id}/content", a.public(http.HandlerFunc(f.receive)))
	a.describeFiles()
}

// fileRoutes answer what is asked about files.
type fileRoutes struct {
	Files Files
	Most  int64 // bytes of a file
}

// overhead is what a form may have beside the file.
const overhead = 64 << 10

// upload stores the part `file` of a form as it arrives. `uploaderId` may stand before or after it.
func (f *fileRoutes) upload(w http.ResponseWriter, r *http.Request) {
	httpd.LimitBody(http.HandlerFunc(f.uploadForm), f.Most+overhead, transferTime(r.ContentLength, f.Most)).ServeHTTP(w, r)
}

func (f *fileRoutes) uploadForm(w http.ResponseWriter, r *http.Request) {
	r.Body = &bufferedBody{bufio.NewReaderSize(r.Body, formBuffer), r.Body} // the form's reader takes 4 KiB at a time
	parts, err := r.MultipartReader()
	if err != nil {
		writeFileError(w, r, errs.Wrap(errs.Validation, err, "The body must be multipart/form-data with file and uploaderId."))
		return
	}
	form := &form{parts: parts}
	if err = form.read(); err == nil && form.file == nil {
		err = errs.Field("file", "A file is required.")
	}
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	rec, err := f.Files.Upload(r.Context(), app.UploadParams{
		Filename: form.file.FileName(), ContentType: form.file.Header.Get("Content-Type"), Most: r.ContentLength, Body: form,
		Uploader: form.uploader,
	})
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	w.Header().Set("Location", "/files/"+rec.ID.String())
	writeJSON(w, http.StatusCreated, fileOf(rec))
}

// formBuffer is how much of a form is read at a time.
const formBuffer = 64 << 10

// bufferedBody reads a body in larger pieces.
type bufferedBody struct {
	*bufio.Reader
	io.Closer
}

// form reads a form part by part; nothing of the file is kept.
type form struct {
	parts      *multipart.Reader
	file       *multipart.Part
	uploaderID string
}

// read reads on to the file, or to the end.
func (f *form) read() error {
	for {
		p, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return formError(err)
		}
		switch p.FormName() {
		case "uploaderId":
			text, err := io.ReadAll(io.LimitReader(p, 100))
			if err != nil {
				return formError(err)
			}
			f.uploaderID = string(text)
		case "file":
			if f.file != nil {
				return errs.Field("file", "One file at a time.")
			}
			f.file = p
			return nil
		}
	}
}

// Read reads the file.
func (f *form) Read(p []byte) (int, error) {
	n, err := f.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = formError(err)
	}
	return n, err
}

// uploader reads on to the end of the form, and says who it was.
func (f *form) uploader() (uuid.UUID, error) {
	if err := f.read(); err != nil {
		return uuid.Nil, err
	}
	id, err := scalar.ParseUUID(f.uploaderID)
	if err != nil {
		return uuid.Nil, errs.Field("uploaderId", "This must be a user of the tenant.")
	}
	return id, nil
}

// formError tells what is wrong with a form from what is wrong with its transport.
func formError(err error) error {
	var own *errs.Error
	var long *http.MaxBytesError
	if errors.As(err, &own) || errors.As(err, &long) {
		return err
	}
	return errs.Wrap(errs.Validation, err, "The form cannot be read to its end.")
}

func (f *fileRoutes) get(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r)
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	rec, err := f.Files.Get(r.Context(), id)
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	a := fileOf(rec)
	if rec.Status == file.Ready {
		link, err := f.Files.Link(r.Context(), rec, app.LinkLifetime)
		if err != nil {
			writeFileError(w, r, err)
			return
		}
		a.DownloadURL, a.ExpiresAt, a.PublicURL = link.URL, &moment{link.ExpiresAt}, f.Files.PublicURL(rec)
	}
	writeJSON(w, http.StatusOK, a)
}

func (f *fileRoutes) remove(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r)
	if err == nil {
		err = f.Files.Delete(r.Context(), id)
	}
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *fileRoutes) download(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r)
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	rec, body, err := f.Files.Content(r.Context(), id)
	send(w, r, rec, body, err)
}

func (f *fileRoutes) signedDownload(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r)
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	signed, err := f.Files.Verify(http.MethodGet, id, r.URL.Query())
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	rec, body, err := f.Files.SignedContent(r.Context(), signed)
	send(w, r, rec, body, err)
}

// send answers with the bytes of a file, or with those that the request asks for. No browser shows them as a page of this server.
func send(w http.ResponseWriter, r *http.Request, rec file.File, body io.ReadSeekCloser, err error) {
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", app.ServedType(rec))
	h.Set("Content-Disposition", app.Disposition(rec))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "private, no-cache")
	modified := rec.CreatedAt
	if rec.CompletedAt != nil {
		modified = *rec.CompletedAt
	}
	if rec.Checksum != nil {
		h.Set("Etag", `"`+*rec.Checksum+`"`)
		if sum, err := hex.DecodeString(*rec.Checksum); err == nil {
			h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
		}
	}
	// A client that takes no bytes must not hold the file for ever. Where the server has no deadlines there is none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime(rec.SizeBytes, 0)))
	http.ServeContent(&contentWriter{ResponseWriter: w, r: r}, r, "", modified, body)
}

// contentWriter gives the refusals of http.ServeContent, which are plain text or nothing, the form of all errors.
type contentWriter struct {
	http.ResponseWriter

	r       *http.Request
	refused bool
}

// WriteHeader sends the status, or an error.
func (c *contentWriter) WriteHeader(status int) {
	switch status {
	case http.StatusRequestedRangeNotSatisfiable:
		c.refuse(status, "RANGE_NOT_SATISFIABLE", "The file has no such part; Content-Range says how long it is.")
	case http.StatusPreconditionFailed:
		c.refuse(status, "PRECONDITION_FAILED", "The file is not the one that the request asks for.")
	default:
		c.ResponseWriter.WriteHeader(status)
	}
}

func (c *contentWriter) refuse(status int, code, message string) {
	c.refused = true
	h := c.Header()
	for _, name := range []string{"Content-Disposition", "Repr-Digest", "Last-Modified", "Accept-Ranges"} {
		h.Del(name)
	}
	httpd.WriteStatus(c.ResponseWriter, c.r, status, code, message)
}

// Write sends bytes of the file.
func (c *contentWriter) Write(p []byte) (int, error) {
	if c.refused {
		return len(p), nil
	}
	return c.ResponseWriter.Write(p)
}

// ReadFrom sends the file as the connection can do it best.
func (c *contentWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.ResponseWriter, r) }

// receive takes the bytes of a direct upload to a local folder. The signature of the URL is its credential.
func (f *fileRoutes) receive(w http.ResponseWriter, r *http.Request) {
	id, err := pathID(r)
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	signed, err := f.Files.Verify(http.MethodPut, id, r.URL.Query())
	if err != nil {
		writeFileError(w, r, err)
		return
	}
	httpd.LimitBody(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f.Files.Receive(r.Context(), signed, r.Body); err != nil {
			writeFileError(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}), signed.Size, transferTime(signed.Size, 0)).ServeHTTP(w, r)
}

// slowest is the least rate of a transfer, in bytes a second, after a minute's grace.
const slowest = 32 << 10

// transferTime is how long a transfer may take; most stands for a length that is not known.
func transferTime(length, most int64) time.Duration {
	if length < 0 {
		length = most
	}
	return time.Minute + time.Duration(length/slowest)*time.Second
}

// writeFileError answers with an error. A storage that fails is a bad gateway: the server itself is well.
func writeFileError(w http.ResponseWriter, r *http.Request, err error) {
	if storage.Failed(err) {
		e := errs.From(err)
		httpd.Note(w, e)
		httpd.WriteStatus(w, r, http.StatusBadGateway, string(e.Code), e.Message)
		return
	}
	httpd.WriteError(w, r, err)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // links are easier to copy
	_ = e.Encode(v)        // a client that went away is no news
}

func pathID(r *http.Request) (uuid.UUID, error) {
	id, err := scalar.ParseUUID(r.PathValue("id"))
	if err != nil {
		return uuid.Nil, errs.Field("id", "This is not a uuid.")
	}
	return id, nil
}
