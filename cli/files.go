package cli

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strings"
	"sync/atomic"

	"stackforge/app"
	"stackforge/config"
	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/file"
	"stackforge/seed"
	"stackforge/storage"
)

// store opens where the bytes of files are, nil when nothing says where. With the embedded database that is a folder beside it.
// It is opened once, and stays open to the end of the process.
func (p *program) store(ctx context.Context) (*storage.Store, error) {
	if p.opened != nil {
		return p.opened, nil
	}
	var err error
	switch c := p.config.Storage; {
	case c.HasBucket():
		p.opened, err = storage.OpenS3(ctx, storage.S3{
			Endpoint: c.Endpoint, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), Bucket: c.Bucket,
			Region: c.Region, PublicURL: c.PublicURL, Timeout: c.Timeout,
		})
	case c.Dir != "":
		p.opened, err = storage.OpenDir(c.Dir)
	case c.IsEmpty() && p.config.Database.URL == "" && p.config.AppEnv != config.Production:
		p.opened, err = storage.OpenDir(p.path("files"))
	}
	return p.opened, err
}

// filesPlace tells where files are.
func (p *program) filesPlace() string {
	switch c := p.config.Storage; {
	case p.opened == nil:
		return "off: no STORAGE_ variables are set"
	case c.HasBucket():
		return "in the bucket " + c.Bucket + " at " + c.Endpoint
	case c.Dir != "":
		return "in " + c.Dir
	default:
		return "in " + p.path("files")
	}
}

// workerFiles are files as a worker needs them: it makes no links. The command has opened the store.
func (p *program) workerFiles(pool *db.DB) *app.Files {
	return app.NewFiles(pool, app.FilesConfig{Store: p.opened, MaxBytes: p.config.Storage.MaxUpload})
}

// address is where clients reach this process.
type address struct{ announced atomic.Pointer[string] }

// set remembers where the process listens.
func (a *address) set(host string, listening net.Addr) {
	base := "http://" + net.JoinHostPort(shownHost(host), port(listening))
	a.announced.Store(&base)
}

func (a *address) String() string {
	if s := a.announced.Load(); s != nil {
		return *s
	}
	return ""
}

// openFiles puts together what the API does with files.
func (a *application) openFiles(ctx context.Context, secret []byte) error {
	s, err := a.p.store(ctx)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, secret) // a key of its own, that the tokens' key cannot be mistaken for
	_, _ = mac.Write([]byte("urls of files"))
	c := a.p.config.Storage
	a.files = app.NewFiles(a.db, app.FilesConfig{Store: s, MaxBytes: c.MaxUpload, Secret: mac.Sum(nil), BaseURL: func() string {
		if c.BaseURL != "" {
			return strings.TrimSuffix(c.BaseURL, "/")
		}
		return a.address.String()
	}})
	number := func(add func(name, help string, read func() float64), name, help string, read func(s app.FileStats) int64) {
		add(name, help, func() float64 { return float64(read(a.files.Stats())) })
	}
	number(a.metrics.Gauge, "file_uploads_in_flight", "Uploads through this server.", func(s app.FileStats) int64 { return s.UnderWay })
	number(a.metrics.Counter, "file_uploads_total", "Uploads that were completed.", func(s app.FileStats) int64 { return s.Uploads })
	number(a.metrics.Counter, "file_uploaded_bytes_total", "Bytes of them.", func(s app.FileStats) int64 { return s.UploadedBytes })
	number(a.metrics.Counter, "file_downloads_total", "Downloads through this server.", func(s app.FileStats) int64 { return s.Downloads })
	number(a.metrics.Counter, "file_storage_failures_total", "Requests that the storage did not answer as it should.", func(s app.FileStats) int64 { return s.Failures })
	return nil
}

// maxSeededFiles bounds the generated files of a tenant whose bytes are stored.
const maxSeededFiles = 1000

// seedFiles stores the bytes of the seed's files that have none. Without a store, and of a large seed, there are records only.
func (p *program) seedFiles(ctx context.Context, h *db.DB, o seed.Options) error {
	s, err := p.store(ctx)
	if err != nil || s == nil {
		return err
	}
	limit := 100
	if o.Count <= maxSeededFiles {
		limit += o.Count
	}
	for _, t := range seed.Tenants() {
		list, err := file.New(h).Keyed(actAs(ctx, t.ID), "", limit)
		if err != nil {
			return err
		}
		for _, f := range list {
			if err := seedFile(ctx, s, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func seedFile(ctx context.Context, s *storage.Store, f file.File) error {
	content := seed.Content(f.Filename)
	sum := sha256.Sum256(content)
	if f.Checksum == nil || *f.Checksum != hex.EncodeToString(sum[:]) {
		return nil // it is not of the seed
	}
	_, err := s.Stat(ctx, f.StorageKey)
	if !errs.Is(err, errs.NotFound) {
		return err
	}
	return s.Write(ctx, f.StorageKey, storage.Object{ContentType: app.ServedType(f), ContentDisposition: app.Disposition(f)}, strings.NewReader(string(content)))
}
