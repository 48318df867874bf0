package app

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"stackforge/errs"
	"stackforge/repo/file"
	"stackforge/storage"
	"stackforge/tenant"
)

// Cleaned says what a clean-up removed.
type Cleaned struct {
	Removed    int64 `json:"removed"`    // in all
	Unfinished int64 `json:"unfinished"` // uploads and deletions that never ended
	Missing    int64 `json:"missing"`    // records whose object was gone
	Orphans    int64 `json:"orphans"`    // objects without a record
	Parts      int64 `json:"parts"`      // parts of uploads to a bucket that never ended
}

// cleanBatch is how many records are read at a time.
const cleanBatch = 500

// deleters is how many objects are deleted at a time.
const deleters = 16

// Cleanup removes what is older than so many hours and is not whole: unfinished uploads and deletions, records without their object,
// objects without a record, of the context's tenant. Without a store only unfinished records.
func (f *Files) Cleanup(ctx context.Context, hours int) (Cleaned, error) {
	var c Cleaned
	if f.Store == nil {
		n, err := f.repo.CleanupPending(ctx, hours)
		return Cleaned{Removed: n, Unfinished: n}, err
	}
	s, err := tenant.From(ctx)
	if err != nil {
		return c, err
	}
	before := time.Now().Add(-time.Duration(hours) * time.Hour)
	for _, part := range []func(context.Context, uuid.UUID, time.Time, *Cleaned) error{f.cleanUnfinished, f.cleanIncoming, f.compare} {
		if err := part(ctx, s.TenantID, before, &c); err != nil {
			return c, f.count(err)
		}
	}
	c.Removed = c.Unfinished + c.Missing + c.Orphans + c.Parts
	return c, nil
}

func (f *Files) cleanUnfinished(ctx context.Context, _ uuid.UUID, before time.Time, c *Cleaned) error {
	for {
		list, err := f.repo.Unfinished(ctx, before, cleanBatch)
		if err != nil {
			return err
		}
		for _, rec := range list {
			gone, err := f.discard(ctx, rec)
			if err != nil {
				return err
			}
			if gone {
				c.Unfinished++
			}
		}
		if len(list) < cleanBatch {
			return nil
		}
	}
}

// discard removes a file that is still as it was seen; false when it is not.
func (f *Files) discard(ctx context.Context, rec file.File) (bool, error) {
	mine, err := f.repo.GiveUp(ctx, rec)
	if err != nil || !mine {
		return false, err
	}
	if err := f.deleteObjects(ctx, rec); err != nil {
		return false, err
	}
	return true, f.repo.Remove(ctx, rec.ID)
}

// cleanIncoming removes what was sent and never looked at: a direct upload expires within the hour.
func (f *Files) cleanIncoming(ctx context.Context, tenantID uuid.UUID, before time.Time, c *Cleaned) error {
	for o, err := range f.Store.List(ctx, incomingPrefix(tenantID)) {
		if err != nil {
			return err
		}
		if !o.Modified.Before(before) {
			continue
		}
		if err := f.Store.Delete(ctx, o.Key); err != nil {
			return err
		}
		c.Orphans++
	}
	for _, prefix := range []string{incomingPrefix(tenantID), objectPrefix(tenantID)} {
		n, err := f.Store.AbortUploads(ctx, prefix, before)
		if err != nil {
			return err
		}
		c.Parts += int64(n)
	}
	return nil
}

// compare walks through objects and records in the order of their keys. A record is made before its object and goes after it: so what
// is old and stands alone has lost the other.
func (f *Files) compare(ctx context.Context, tenantID uuid.UUID, before time.Time, c *Cleaned) error {
	next, stop := iter.Pull2(f.Store.List(ctx, objectPrefix(tenantID)))
	defer stop()
	rows := &keyed{repo: f.repo}
	o, err, more := next()
	rec, rerr := rows.next(ctx)
	for {
		if more && err != nil {
			return err
		}
		if rerr != nil {
			return rerr
		}
		switch {
		case !more && rec == nil:
			return nil
		case rec == nil || more && o.Key < rec.StorageKey:
			if err := f.orphan(ctx, o, before, c); err != nil {
				return err
			}
			o, err, more = next()
		case !more || o.Key > rec.StorageKey:
			if err := f.missing(ctx, *rec, before, c); err != nil {
				return err
			}
			rec, rerr = rows.next(ctx)
		default:
			o, err, more = next()
			rec, rerr = rows.next(ctx)
		}
	}
}

// orphan removes an object that is old and has no record.
func (f *Files) orphan(ctx context.Context, o storage.Info, before time.Time, c *Cleaned) error {
	if !o.Modified.Before(before) {
		return nil
	}
	if id, err := uuid.Parse(o.Key[strings.LastIndexByte(o.Key, '/')+1:]); err == nil {
		if _, err := f.repo.Get(ctx, id); !errs.Is(err, errs.NotFound) {
			return err // it has one by now, or nobody knows
		}
	}
	c.Orphans++
	return f.Store.Delete(ctx, o.Key)
}

// missing removes a record that is old and has no object.
func (f *Files) missing(ctx context.Context, rec file.File, before time.Time, c *Cleaned) error {
	if rec.Status != file.Ready || rec.CompletedAt == nil || !rec.CompletedAt.Before(before) {
		return nil
	}
	if _, err := f.Store.Stat(ctx, rec.StorageKey); !errs.Is(err, errs.NotFound) {
		return err
	}
	gone, err := f.discard(ctx, rec)
	if gone {
		c.Missing++
	}
	return err
}

// keyed reads the records of a tenant by their keys, in batches.
type keyed struct {
	repo  *file.Repo
	batch []file.File
	after string
	last  bool
}

// next returns the next record, nil after the last.
func (k *keyed) next(ctx context.Context) (*file.File, error) {
	if len(k.batch) == 0 {
		if k.last {
			return nil, nil //nolint:nilnil // nil is the end
		}
		var err error
		if k.batch, err = k.repo.Keyed(ctx, k.after, cleanBatch); err != nil {
			return nil, err
		}
		k.last = len(k.batch) < cleanBatch
		if len(k.batch) == 0 {
			return nil, nil //nolint:nilnil // nil is the end
		}
		k.after = k.batch[len(k.batch)-1].StorageKey
	}
	rec := k.batch[0]
	k.batch = k.batch[1:]
	return &rec, nil
}

// DeleteAll deletes every object of a tenant, and returns how many there were. It is for the end of a tenant: records stay. Without
// a store there are none.
func (f *Files) DeleteAll(ctx context.Context, tenantID uuid.UUID) (int, error) {
	if f.Store == nil {
		return 0, nil
	}
	var n atomic.Int64
	for _, prefix := range []string{objectPrefix(tenantID), incomingPrefix(tenantID)} {
		if _, err := f.Store.AbortUploads(ctx, prefix, time.Now().Add(time.Hour)); err != nil {
			return int(n.Load()), f.count(err)
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(deleters)
		var listed error
		for o, err := range f.Store.List(gctx, prefix) {
			if err != nil {
				listed = err
				break
			}
			g.Go(func() error {
				err := f.Store.Delete(gctx, o.Key)
				if err == nil {
					n.Add(1)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			listed = err // the list ends with it, for a worse reason
		}
		if listed != nil {
			return int(n.Load()), f.count(listed)
		}
	}
	return int(n.Load()), nil
}

// FileRetention finishes what a retention of files has begun: the objects of months that were detached.
type FileRetention struct {
	files *Files
	repo  *file.Maintenance
}

// NewFileRetention returns a FileRetention. The repository acts as app_worker.
func NewFileRetention(f *Files, m *file.Maintenance) *FileRetention {
	return &FileRetention{files: f, repo: m}
}

// EnqueueCleanup enqueues clean-ups where they are due, and returns how many.
func (r *FileRetention) EnqueueCleanup(ctx context.Context) (int64, error) {
	return r.repo.EnqueueCleanup(ctx, cleanupHours)
}

// cleanupHours is how old something unfinished is when it is removed without being asked for.
const cleanupHours = 24

// CleanDetached deletes the objects of detached months, then their records and the empty months; it returns how many there were.
// Killed in between, it goes on where it stopped. Without a store it does nothing: objects would be forgotten.
func (r *FileRetention) CleanDetached(ctx context.Context) (int, error) {
	if r.files.Store == nil {
		return 0, nil
	}
	total := 0
	for {
		list, err := r.repo.Detached(ctx, cleanBatch)
		if err != nil {
			return total, err
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(deleters)
		for _, d := range list {
			g.Go(func() error { return r.files.Store.Delete(gctx, d.StorageKey) })
		}
		if err := g.Wait(); err != nil {
			return total, r.files.count(err)
		}
		if err := r.repo.Forget(ctx, list); err != nil {
			return total, err
		}
		total += len(list)
		if len(list) == 0 {
			return total, nil
		}
	}
}
