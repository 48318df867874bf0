package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	gohash "hash"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/file"
	"stackforge/storage"
	"stackforge/tenant"
)

// FilesConfig is what Files works with.
type FilesConfig struct {
	Store    *storage.Store // nil: none is configured
	MaxBytes int64          // of one file
	Secret   []byte         // signs the URLs of a local store
	BaseURL  func() string  // at which clients reach this server; for the URLs of a local store
}

// Files takes, gives and deletes files: records in the database, bytes in a store. A record comes before its object and goes after
// it, so whatever is killed in between leaves something that Cleanup finds. Every method that moves bytes is errs.NotImplemented
// without a store. A failure of the store is errs.Unavailable; storage.Failed tells it from others.
type Files struct {
	FilesConfig

	repo  *file.Repo
	stats fileStats
}

type fileStats struct{ uploads, uploaded, downloads, failures, underWay atomic.Int64 }

// FileStats counts what this process did with files.
type FileStats struct {
	Uploads, UploadedBytes int64 // that were completed
	Downloads              int64 // that this server began itself
	Failures               int64 // of the store
	UnderWay               int64 // uploads through this server at the moment
}

// NewFiles returns a Files. The handle acts as app_api; for Cleanup app_worker will do.
func NewFiles(h db.Handle, c FilesConfig) *Files { return &Files{FilesConfig: c, repo: file.New(h)} }

// Stats returns the counts so far.
func (f *Files) Stats() FileStats {
	s := &f.stats
	return FileStats{
		Uploads: s.uploads.Load(), UploadedBytes: s.uploaded.Load(), Downloads: s.downloads.Load(), Failures: s.failures.Load(),
		UnderWay: s.underWay.Load(),
	}
}

// ready is errs.NotImplemented without a store.
func (f *Files) ready() error {
	if f.Store == nil {
		return errs.New(errs.NotImplemented, "This server stores no files: STORAGE_ENDPOINT, STORAGE_ACCESS_KEY_ID, STORAGE_SECRET_ACCESS_KEY and STORAGE_BUCKET, or STORAGE_DIR, must be set.")
	}
	return nil
}

// count counts failures of the store and returns the error.
func (f *Files) count(err error) error {
	if storage.Failed(err) {
		f.stats.failures.Add(1)
	}
	return err
}

// UploadParams is a file whose bytes come through this server.
type UploadParams struct {
	Filename    string // as the client calls it
	ContentType string // as the client calls it
	Most        int64  // it has no more bytes than this, -1 when that is not known
	Body        io.Reader
	// Uploader is asked when the body has been read: of a multipart form it may come last.
	Uploader func() (uuid.UUID, error)
}

// Upload stores a file. It is errs.TooLarge above the limit of a file or the quota, errs.Validation naming uploaderId, or the error of
// the body or of Uploader. When it fails nothing is stored; if that cannot be seen to, the record says so and Cleanup does it.
func (f *Files) Upload(ctx context.Context, p UploadParams) (file.File, error) {
	if err := f.ready(); err != nil {
		return file.File{}, err
	}
	f.stats.underWay.Add(1)
	defer f.stats.underWay.Add(-1)
	most := f.MaxBytes
	if p.Most >= 0 {
		most = min(most, p.Most)
	}
	body := bufio.NewReaderSize(p.Body, sniffed)
	head, err := body.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return file.File{}, err
	}
	contentType := detectType(head, p.ContentType)
	rec, err := f.repo.Create(ctx, file.CreateParams{Filename: cleanFilename(p.Filename), ContentType: contentType, SizeBytes: most, OrLess: true})
	if err != nil {
		return file.File{}, err
	}
	done, err := f.receive(ctx, rec, body, p.Uploader)
	if err != nil {
		f.undo(ctx, rec)
		return file.File{}, f.count(err)
	}
	f.stats.uploads.Add(1)
	f.stats.uploaded.Add(done.SizeBytes)
	return done, nil
}

// receive stores the bytes of a record and makes it ready.
func (f *Files) receive(ctx context.Context, rec file.File, body io.Reader, uploader func() (uuid.UUID, error)) (file.File, error) {
	m := &meter{r: body, left: rec.SizeBytes, max: f.MaxBytes, hash: sha256.New()}
	if err := f.Store.Write(ctx, rec.StorageKey, servedAs(rec), m); err != nil {
		return file.File{}, err
	}
	id, err := uploader()
	if err != nil {
		return file.File{}, err
	}
	return f.repo.Complete(ctx, file.CompleteParams{ID: rec.ID, UploaderID: &id, SizeBytes: m.size, Checksum: m.sum()})
}

// undoTime is how long what failed may take to be undone.
const undoTime = 30 * time.Second

// undo removes what a failed upload left, as far as that goes; what is left is Cleanup's. The commit that made the record ready may
// have happened although its answer was lost: so nobody can download it before its object goes.
func (f *Files) undo(ctx context.Context, rec file.File) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if _, err := f.repo.MarkDeleted(ctx, rec.ID); err != nil && !errs.Is(err, errs.NotFound) {
		return
	}
	if f.deleteObjects(ctx, rec) == nil {
		_ = f.repo.Remove(ctx, rec.ID) // or by Cleanup
	}
}

func (f *Files) deleteObjects(ctx context.Context, rec file.File) error {
	return errors.Join(f.count(f.Store.Delete(ctx, incoming(rec))), f.count(f.Store.Delete(ctx, rec.StorageKey)))
}

// Get returns a file. It is errs.NotFound when there is none.
func (f *Files) Get(ctx context.Context, id uuid.UUID) (file.File, error) {
	if err := f.ready(); err != nil {
		return file.File{}, err
	}
	return f.repo.Get(ctx, id)
}

// Content returns a file and its bytes. It is errs.NotFound when there is none, or not yet, or not any more.
func (f *Files) Content(ctx context.Context, id uuid.UUID) (file.File, io.ReadSeekCloser, error) {
	rec, err := f.Get(ctx, id)
	if err == nil && rec.Status != file.Ready {
		err = errs.New(errs.NotFound, "There is no such file.")
	}
	if err != nil {
		return file.File{}, nil, err
	}
	r, err := f.Store.Open(ctx, rec.StorageKey, rec.SizeBytes)
	if err != nil {
		return file.File{}, nil, f.count(err)
	}
	f.stats.downloads.Add(1)
	return rec, r, nil
}

// Delete removes a file. It is errs.NotFound when there is none. When the store fails the record stays, marked: nobody can download the
// file, and another Delete, or Cleanup, goes on.
func (f *Files) Delete(ctx context.Context, id uuid.UUID) error {
	if err := f.ready(); err != nil {
		return err
	}
	rec, err := f.repo.MarkDeleted(ctx, id)
	if err != nil {
		return err
	}
	if err := f.deleteObjects(ctx, rec); err != nil {
		return err
	}
	return f.repo.Remove(ctx, id)
}

// meter counts and hashes what is read, and refuses more than there is room for.
type meter struct {
	r    io.Reader
	left int64
	max  int64 // of any file: what to say
	size int64
	hash gohash.Hash
}

// Read reads on.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.size += int64(n)
	if m.left -= int64(n); m.left < 0 {
		return 0, tooLarge(m.size > m.max, m.max)
	}
	_, _ = m.hash.Write(p[:n]) // never fails
	return n, err
}

func (m *meter) sum() string { return hex.EncodeToString(m.hash.Sum(nil)) }

func tooLarge(file bool, most int64) error {
	e := errs.New(errs.TooLarge, "The tenant may not store so much.")
	if file {
		e = errs.Newf(errs.TooLarge, "A file has at most %d bytes.", most)
	}
	e.Field = "file"
	return e
}

// incoming is where the bytes of a direct upload wait until they have been looked at: whoever has the URL may change them until it
// expires, but not what they are copied to.
func incoming(rec file.File) string {
	return incomingPrefix(rec.TenantID) + strings.TrimPrefix(rec.StorageKey, objectPrefix(rec.TenantID))
}

func objectPrefix(tenantID uuid.UUID) string { return "tenants/" + tenantID.String() + "/" }

func incomingPrefix(tenantID uuid.UUID) string { return "incoming/" + tenantID.String() + "/" }

// actFor returns a context that acts for a tenant, for what a signature stands for.
func actFor(ctx context.Context, tenantID uuid.UUID) context.Context {
	return tenant.With(ctx, tenant.Scope{TenantID: tenantID, Scopes: []string{"files:read", "files:write"}})
}

// readHead returns what decides the type of an object, and everything, the head included.
func readHead(r io.Reader) ([]byte, io.Reader, error) {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	return head[:n], io.MultiReader(bytes.NewReader(head[:n]), r), nil
}
