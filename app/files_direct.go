package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/repo/file"
)

// Lifetimes of URLs.
const (
	LinkLifetime   = 15 * time.Minute // of a download, unless another is asked for
	MaxLink        = 7 * 24 * time.Hour
	uploadLifetime = time.Hour
	checkTime      = 9 * time.Minute // for a look at an upload; a claim lasts ten minutes
)

// Link is a URL that works without a credential.
type Link struct {
	URL       string
	ExpiresAt time.Time
}

// Link returns a URL that gives a file to whoever has it: of the bucket, or of this server for a local folder. Nobody is asked, so
// it can be made while the store is away. It is errs.Validation naming expiresIn, and errs.NotFound for a file that is not ready.
func (f *Files) Link(ctx context.Context, rec file.File, lifetime time.Duration) (Link, error) {
	if err := f.ready(); err != nil {
		return Link{}, err
	}
	if lifetime < time.Second || lifetime > MaxLink {
		return Link{}, errs.Field("expiresIn", "This must be from 1 to 604,800 seconds.")
	}
	if rec.Status != file.Ready {
		return Link{}, errs.New(errs.NotFound, "The file cannot be downloaded: it is not complete, or is being deleted.")
	}
	out := Link{ExpiresAt: time.Now().Add(lifetime).Truncate(time.Second)}
	if f.Store.IsLocal() {
		out.URL = f.sign(Signed{Method: http.MethodGet, TenantID: rec.TenantID, ID: rec.ID, ExpiresAt: out.ExpiresAt})
		return out, nil
	}
	var err error
	out.URL, err = f.Store.SignGet(ctx, rec.StorageKey, servedAs(rec), lifetime)
	return out, f.count(err)
}

// PublicURL is where everybody may read a file, "" when that is not set or the file is not ready.
func (f *Files) PublicURL(rec file.File) string {
	if f.Store == nil || rec.Status != file.Ready {
		return ""
	}
	return f.Store.PublicURL(rec.StorageKey)
}

// BeginParams is a file whose bytes will go to the store without passing through an API request.
type BeginParams struct {
	Filename    string
	ContentType string
	SizeBytes   int64
	Checksum    *string // SHA-256 in hex that the bytes must have
	UploaderID  uuid.UUID
}

// Direct is where to send the bytes of an upload.
type Direct struct {
	File    file.File
	Link    Link
	Method  string
	Headers map[string]string
}

// Begin makes the record of a direct upload and says where to send the bytes. It is errs.TooLarge above the limit of a file or the
// quota, or errs.Validation naming the field.
func (f *Files) Begin(ctx context.Context, p BeginParams) (Direct, error) {
	if err := f.ready(); err != nil {
		return Direct{}, err
	}
	if p.SizeBytes > f.MaxBytes {
		e := errs.Newf(errs.TooLarge, "A file has at most %d bytes.", f.MaxBytes)
		e.Field = "sizeBytes"
		return Direct{}, e
	}
	lifetime := uploadLifetime
	rec, err := f.repo.Create(ctx, file.CreateParams{
		UploaderID: &p.UploaderID, Filename: cleanFilename(p.Filename), ContentType: declaredType(p.ContentType), SizeBytes: p.SizeBytes,
		Checksum: p.Checksum, Lifetime: &lifetime,
	})
	if err != nil {
		return Direct{}, err
	}
	d := Direct{File: rec, Method: http.MethodPut, Headers: map[string]string{}}
	d.Link.ExpiresAt = time.Now().Add(lifetime).Truncate(time.Second)
	if f.Store.IsLocal() {
		d.Link.URL = f.sign(Signed{Method: http.MethodPut, TenantID: rec.TenantID, ID: rec.ID, ExpiresAt: d.Link.ExpiresAt, Size: rec.SizeBytes, Key: incoming(rec)})
		return d, nil
	}
	if d.Link.URL, d.Headers, err = f.Store.SignPut(ctx, incoming(rec), rec.SizeBytes, lifetime); err != nil {
		f.undo(ctx, rec)
	}
	return d, f.count(err)
}

// Finish looks at the bytes of a direct upload and makes the file ready; one that is ready is returned as it is. It is errs.NotFound,
// errs.Conflict when nothing was sent, the upload has expired, or another Finish is under way, and errs.Validation naming sizeBytes
// or checksum when the bytes are others than were told: they are gone then, and may be sent again.
func (f *Files) Finish(ctx context.Context, id uuid.UUID) (file.File, error) {
	if err := f.ready(); err != nil {
		return file.File{}, err
	}
	rec, err := f.repo.ClaimUpload(ctx, id)
	if err != nil || rec.Status == file.Ready {
		return rec, err
	}
	done, err := f.check(ctx, rec)
	if err == nil {
		f.stats.uploads.Add(1)
		f.stats.uploaded.Add(done.SizeBytes)
	}
	// From here on the caller's going away changes nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	switch {
	case err == nil:
		_ = f.Store.Delete(ctx, incoming(rec)) // or by Cleanup
	case errs.Is(err, errs.NotFound):
		_ = f.deleteObjects(ctx, rec) // it was deleted meanwhile; or by Cleanup
	case errs.Is(err, errs.Validation):
		_ = f.deleteObjects(ctx, rec) // or by Cleanup
		fallthrough
	default:
		_ = f.repo.ReleaseUpload(ctx, id) // or by time
	}
	return done, f.count(err)
}

// check copies what was sent to where only the server can write, and reads it.
func (f *Files) check(ctx context.Context, rec file.File) (file.File, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	sent, err := f.Store.Stat(ctx, incoming(rec))
	switch {
	case errs.Is(err, errs.NotFound):
		return file.File{}, errs.New(errs.Conflict, "Nothing has been uploaded yet.")
	case err != nil:
		return file.File{}, err
	case sent.Size != rec.SizeBytes:
		return file.File{}, errs.Field("sizeBytes", fmt.Sprintf("The upload has %d bytes, not %d.", sent.Size, rec.SizeBytes))
	}
	if err := f.Store.Copy(ctx, rec.StorageKey, incoming(rec)); err != nil {
		return file.File{}, err
	}
	r, err := f.Store.Open(ctx, rec.StorageKey, rec.SizeBytes)
	if err != nil {
		return file.File{}, err
	}
	defer r.Close()
	head, all, err := readHead(r)
	if err != nil {
		return file.File{}, err
	}
	m := &meter{r: all, left: rec.SizeBytes, max: f.MaxBytes, hash: sha256.New()}
	if _, err := io.Copy(io.Discard, m); err != nil {
		return file.File{}, err
	}
	if m.size != rec.SizeBytes {
		return file.File{}, errs.Field("sizeBytes", fmt.Sprintf("The upload has %d bytes, not %d.", m.size, rec.SizeBytes))
	}
	contentType := detectType(head, rec.ContentType)
	return f.repo.Complete(ctx, file.CompleteParams{ID: rec.ID, ContentType: &contentType, SizeBytes: m.size, Checksum: m.sum()})
}

// Signed is what a URL of this server's own stands for.
type Signed struct {
	Method    string // GET, which HEAD may use too, or PUT
	TenantID  uuid.UUID
	ID        uuid.UUID
	ExpiresAt time.Time
	Size      int64  // of a PUT: exactly so many bytes
	Key       string // of a PUT: where they go
}

func (f *Files) mac(s Signed) string {
	h := hmac.New(sha256.New, f.Secret)
	_, _ = fmt.Fprintf(h, "file 1\n%s\n%s\n%s\n%d\n%d\n%s", s.Method, s.TenantID, s.ID, s.ExpiresAt.Unix(), s.Size, s.Key) // never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// sign returns the URL.
func (f *Files) sign(s Signed) string {
	q := url.Values{"tenant": {s.TenantID.String()}, "expires": {strconv.FormatInt(s.ExpiresAt.Unix(), 10)}, "signature": {f.mac(s)}}
	if s.Method == http.MethodPut {
		q.Set("size", strconv.FormatInt(s.Size, 10))
		q.Set("key", s.Key)
	}
	return f.BaseURL() + "/files/" + s.ID.String() + "/content?" + q.Encode()
}

// Verify reads the query of a URL that was signed for a method and an id. It is errs.Forbidden when it was not, or has expired.
func (f *Files) Verify(method string, id uuid.UUID, q url.Values) (Signed, error) {
	s := Signed{Method: method, ID: id, Key: q.Get("key")}
	tenantID, err := uuid.Parse(q.Get("tenant"))
	expires, eerr := strconv.ParseInt(q.Get("expires"), 10, 64)
	if method == http.MethodPut {
		if s.Size, err = strconv.ParseInt(q.Get("size"), 10, 64); err != nil {
			eerr = err
		}
		tenantID, err = uuid.Parse(q.Get("tenant"))
	}
	s.TenantID, s.ExpiresAt = tenantID, time.Unix(expires, 0)
	switch {
	case f.Store == nil || !f.Store.IsLocal():
		return s, errs.New(errs.Forbidden, "URLs of this server are not signed: its files are in a bucket.")
	case err != nil || eerr != nil || !hmac.Equal([]byte(q.Get("signature")), []byte(f.mac(s))):
		return s, errs.New(errs.Forbidden, "The signature of the URL is not valid.")
	case time.Now().After(s.ExpiresAt):
		return s, errs.New(errs.Forbidden, "The URL has expired.")
	}
	return s, nil
}

// SignedContent is Content for whoever has a signed URL.
func (f *Files) SignedContent(ctx context.Context, s Signed) (file.File, io.ReadSeekCloser, error) {
	return f.Content(actFor(ctx, s.TenantID), s.ID)
}

// Receive takes the bytes of a direct upload to a local folder. It is errs.Validation naming sizeBytes when they are fewer or more
// than was told.
func (f *Files) Receive(ctx context.Context, s Signed, body io.Reader) error {
	if err := f.ready(); err != nil {
		return err
	}
	m := &exactly{r: body, left: s.Size, size: s.Size}
	return f.count(f.Store.Write(ctx, s.Key, storageObject(), m))
}

// exactly reads a number of bytes; fewer or more are an error.
type exactly struct {
	r          io.Reader
	left, size int64
}

// Read reads on.
func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if e.left < 0 || err == io.EOF && e.left > 0 {
		return 0, errs.Field("sizeBytes", fmt.Sprintf("The upload must have exactly %d bytes.", e.size))
	}
	return n, err
}
