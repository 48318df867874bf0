// Package storage keeps the bytes of files: in a bucket of a service that speaks the S3 protocol, or in a local folder.
// It knows keys and bytes, and nothing of tenants or the database.
package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

	"stackforge/errs"
)

// Store is a bucket or a folder. It is safe for concurrent use. Methods are errs.NotFound when there is no such object; every
// other failure of the storage is errs.Unavailable, and Failed tells it from other things that are unavailable.
type Store struct {
	bucket *blob.Bucket
	dir    *os.Root   // of a local folder, else nil
	s3     *s3.Client // of a bucket, else nil
	name   string     // of the bucket
	public string     // base URL of objects that everybody may read, "" for none
	chunks sync.Pool  // of *chunk, between uploads to a bucket
}

// Object is how an object is served by the storage itself.
type Object struct {
	ContentType        string
	ContentDisposition string
}

// Info is an object of a list.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time
}

// OpenDir returns the store in a local folder, which is made when it is missing.
func OpenDir(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	// Temporary files stand beside the others: a rename works on one file system only, and what a crash leaves is found by List.
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &Store{bucket: b, dir: root}, nil
}

// Close ends the use of the store.
func (s *Store) Close() error {
	err := s.bucket.Close()
	if s.dir != nil {
		err = errors.Join(err, s.dir.Close())
	}
	return err
}

// IsLocal reports whether the store is a folder of this machine, which signs no URLs.
func (s *Store) IsLocal() bool { return s.dir != nil }

// PublicURL is where everybody may read an object, "" when nobody may.
func (s *Store) PublicURL(key string) string {
	if s.public == "" {
		return ""
	}
	return strings.TrimSuffix(s.public, "/") + "/" + key
}

// Write stores what r has to say, to its end. An error of r is returned as it is; then, and when the storage fails, there is no
// object, or the one from before.
func (s *Store) Write(ctx context.Context, key string, o Object, r io.Reader) error {
	src := &source{r: r}
	var err error
	if s.dir != nil {
		err = s.writeFile(ctx, key, o, src)
	} else {
		err = s.upload(ctx, key, o, src)
	}
	if src.err != nil {
		return src.err
	}
	return fail(err)
}

// writeFile writes to the disk itself before the file gets its name.
func (s *Store) writeFile(ctx context.Context, key string, o Object, r io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var f *os.File
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: o.ContentType, ContentDisposition: o.ContentDisposition, DisableContentTypeDetection: true,
		BeforeWrite: func(as func(any) bool) error {
			if !as(&f) {
				return errors.New("storage: this is no file")
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	if _, err = io.Copy(w, r); err == nil && f != nil {
		err = f.Sync()
	}
	if err != nil {
		cancel() // so that Close removes what there is
	}
	return errors.Join(err, w.Close())
}

// Open returns an object's bytes. Reading begins where the last Seek went. size is the object's.
func (s *Store) Open(ctx context.Context, key string, size int64) (io.ReadSeekCloser, error) {
	if s.dir == nil {
		if _, err := s.Stat(ctx, key); err != nil { // while the answer can still say so
			return nil, err
		}
		return &content{ctx: ctx, store: s, key: key, size: size}, nil
	}
	f, err := s.dir.Open(filepath.FromSlash(key)) // the file itself: the kernel copies it to a connection
	if err != nil {
		return nil, fail(err)
	}
	return f, nil
}

// Stat returns size and time of an object.
func (s *Store) Stat(ctx context.Context, key string) (Info, error) {
	a, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return Info{}, fail(err)
	}
	return Info{Key: key, Size: a.Size, Modified: a.ModTime}, nil
}

// Copy makes dst the same as src, within the storage; a bucket copies at most 5 GiB.
func (s *Store) Copy(ctx context.Context, dst, src string) error {
	return fail(s.bucket.Copy(ctx, dst, src, nil))
}

// Delete removes an object. One that is not there is fine.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := fail(s.bucket.Delete(ctx, key)); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	if s.dir != nil { // folders that are empty now; those that are not stay
		for p := path.Dir(key); p != "." && s.dir.Remove(filepath.FromSlash(p)) == nil; p = path.Dir(p) {
			continue
		}
	}
	return nil
}

// List yields the objects whose keys begin with the prefix, in the order of the bytes of their keys. It ends with the first
// error.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for it := s.bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
			o, err := it.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Info{}, fail(err))
				return
			}
			if !yield(Info{Key: o.Key, Size: o.Size, Modified: o.ModTime}, nil) {
				return
			}
		}
	}
}

// Check reports whether the storage answers.
func (s *Store) Check(ctx context.Context) error {
	ok, err := s.bucket.IsAccessible(ctx)
	if err == nil && !ok {
		return errs.Wrap(errs.Unavailable, errFailed, "The bucket does not exist.")
	}
	return fail(err)
}

// errFailed marks failures of the storage.
var errFailed = errors.New("storage")

// Failed reports whether an error is a failure of the storage, not of the caller or the database.
func Failed(err error) bool { return errors.Is(err, errFailed) }

// fail makes the error of a storage one of ours. The cause goes to the log.
func fail(err error) error {
	switch {
	case err == nil:
		return nil
	case gcerrors.Code(err) == gcerrors.NotFound, errors.Is(err, os.ErrNotExist):
		return errs.Wrap(errs.NotFound, err, "The bytes of the file are not there.")
	default:
		return errs.Wrap(errs.Unavailable, errors.Join(errFailed, err), "The file storage does not answer as it should; try again.")
	}
}

// source remembers what went wrong with reading, so that it is not taken for a failure of the storage.
type source struct {
	r   io.Reader
	err error
}

// Read reads on.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// content reads an object of a bucket from where the last Seek went.
type content struct {
	ctx   context.Context //nolint:containedctx // of the one request it is read for
	store *Store
	key   string
	size  int64
	at    int64
	r     *blob.Reader
}

// Read reads on, from a new request after a Seek.
func (c *content) Read(p []byte) (int, error) {
	if c.at >= c.size {
		return 0, io.EOF
	}
	if c.r == nil {
		r, err := c.store.bucket.NewRangeReader(c.ctx, c.key, c.at, -1, nil)
		if err != nil {
			return 0, fail(err)
		}
		c.r = r
	}
	n, err := c.r.Read(p)
	c.at += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fail(err)
	}
	return n, err
}

// Seek moves the place of the next Read.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("storage: a place before the start")
	}
	if offset != c.at {
		_ = c.Close() // what was not read is not wanted
		c.at = offset
	}
	return offset, nil
}

// Close ends the request.
func (c *content) Close() error {
	if c.r == nil {
		return nil
	}
	r := c.r
	c.r = nil
	return r.Close()
}
