package searchsettings

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
)

// IndexKind is which full-text index serves a tenant.
type IndexKind string

// Shared is the index of all tenants; OwnGIN and OwnRUM are indexes of one tenant beside it.
const (
	Shared IndexKind = "shared"
	OwnGIN IndexKind = "gin"
	OwnRUM IndexKind = "rum" // needs the extension rum
)

// Index is how the full-text search of one tenant is served.
type Index struct {
	TenantID   uuid.UUID
	TenantName *string // nil when the tenant is gone
	Documents  int64   // lags behind by seconds
	Words      int64
	Vectors    int64
	Changes    int64     // noted changes of the vocabulary that are not counted yet
	NotedKind  IndexKind // what searches go by

	// The index of its own; nil when there is none.
	IndexName  *string
	IndexKind  *IndexKind
	IndexValid *bool // false after a build that ended half way
	IndexBytes *int64
}

// Change is an index to build or to drop.
type Change struct {
	Index

	To  IndexKind
	Why string
}

// Indexes builds and drops the full-text indexes of single tenants, as the owner of the tables.
type Indexes struct {
	db   db.Handle
	open OpenFunc
}

// OpenFunc opens a connection for statements that cannot run in a transaction.
type OpenFunc func(ctx context.Context) (*db.Session, error)

// NewIndexes returns Indexes; the handle and the connections must act as the owner.
func NewIndexes(h db.Handle, open OpenFunc) *Indexes { return &Indexes{db: h, open: open} }

// List returns the tenants with at least that many documents, and every one that has an index of its own, also when the
// tenant is gone. The largest come first.
func (x *Indexes) List(ctx context.Context, minDocuments int64) ([]Index, error) {
	return db.List[Index](ctx, db.Read(x.db), `
		-- name: searchsettings.ListIndexes
		SELECT tenant_id,
		       tenant_name,
		       documents,
		       words,
		       vectors,
		       changes,
		       noted_kind,
		       index_name,
		       index_kind,
		       index_valid,
		       index_bytes
		FROM search_index_status(@min)
		ORDER BY documents DESC, tenant_id`,
		pgx.NamedArgs{"min": minDocuments})
}

// Rebuild makes the vocabulary of a tenant anew from its documents and returns how many words it has.
func (x *Indexes) Rebuild(ctx context.Context, tenantID uuid.UUID) (int, error) {
	return db.Get[int](ctx, x.db, "tenant", `
		-- name: searchsettings.Rebuild
		SELECT rebuild_search_words(@tenant)`,
		pgx.NamedArgs{"tenant": tenantID})
}

// Tenants returns the ids of all tenants.
func (x *Indexes) Tenants(ctx context.Context) ([]uuid.UUID, error) {
	return db.List[uuid.UUID](ctx, db.Read(x.db), `
		-- name: searchsettings.Tenants
		SELECT id
		FROM tenants
		ORDER BY id`)
}

// For returns what leads to one kind of index for a tenant, nothing when it is so already. It is errs.NotFound for a tenant
// that is not there and errs.NotImplemented for rum in a database without the extension.
func (x *Indexes) For(ctx context.Context, tenantID uuid.UUID, to IndexKind) ([]Change, error) {
	if to == OwnRUM {
		if err := x.needRUM(ctx); err != nil {
			return nil, err
		}
	}
	list, err := db.List[Index](ctx, db.Read(x.db), `
		-- name: searchsettings.IndexFor
		SELECT t.id AS tenant_id,
		       t.name AS tenant_name,
		       coalesce(s.documents, 0) AS documents,
		       0::bigint AS words,
		       0::bigint AS vectors,
		       0::bigint AS changes,
		       coalesce(s.index_kind, 'shared') AS noted_kind,
		       o.name AS index_name,
		       o.kind AS index_kind,
		       o.is_valid AS index_valid,
		       o.bytes AS index_bytes
		FROM tenants t
		LEFT JOIN core.search_tenants s ON s.tenant_id = t.id
		LEFT JOIN own_search_indexes() o ON o.tenant_id = t.id
		WHERE t.id = @tenant
		ORDER BY t.id`, pgx.NamedArgs{"tenant": tenantID})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errs.New(errs.NotFound, "There is no such tenant.")
	}
	if list[0].is(to) {
		return nil, nil
	}
	return []Change{{Index: list[0], To: to, Why: "asked for"}}, nil
}

// Auto returns what leads to an own index for every tenant with at least that many documents, the largest ones when there
// are more than most, and to none for the others, for those that are gone and where a build ended half way. A rum index is
// kept while its tenant is large enough. The list is that of List, the largest first.
func Auto(list []Index, minDocuments int64, most int) []Change {
	var out []Change
	large := 0
	for _, i := range list {
		c := Change{Index: i, To: Shared, Why: fmt.Sprintf("fewer than %d documents", minDocuments)}
		if i.TenantName != nil && i.Documents >= minDocuments {
			large++
		}
		switch {
		case i.TenantName == nil:
			c.Why = "the tenant is gone"
		case i.Documents >= minDocuments && large > most:
			c.Why = fmt.Sprintf("%d tenants are larger", most)
		case i.Documents >= minDocuments && i.IndexKind != nil && *i.IndexKind == OwnRUM:
			c.To, c.Why = OwnRUM, "it was not finished"
		case i.Documents >= minDocuments:
			c.To, c.Why = OwnGIN, fmt.Sprintf("at least %d documents", minDocuments)
		}
		if !i.is(c.To) {
			out = append(out, c)
		}
	}
	return out
}

// is reports whether a tenant is served by a kind of index and has no other.
func (i Index) is(kind IndexKind) bool {
	if kind == Shared {
		return i.NotedKind == Shared && i.IndexName == nil
	}
	return i.NotedKind == kind && i.usable(kind)
}

// usable reports whether there is a valid index of that kind.
func (i Index) usable(kind IndexKind) bool {
	return i.IndexKind != nil && *i.IndexKind == kind && *i.IndexValid
}

// lockName serialises runs: one would drop what the other is building.
const lockName = "stackforge search index"

// Apply makes changes one after the other; step is told each before it begins. Searches and writes go on meanwhile: until an
// index is valid, and from before it is dropped, the shared one serves the tenant. A build waits for transactions that were
// there before it; when it fails, what it left is dropped. It is errs.Conflict while another run is at work.
func (x *Indexes) Apply(ctx context.Context, changes []Change, step func(text string)) error {
	keeper, err := x.open(ctx)
	if err != nil {
		return err
	}
	defer keeper.Close()
	ok, err := keeper.TryLock(ctx, lockName)
	if err != nil {
		return err
	}
	if !ok {
		return errs.New(errs.Conflict, "Another run is building or dropping indexes.")
	}
	for _, c := range changes {
		if err := x.apply(ctx, c, step); err != nil {
			return fmt.Errorf("tenant %s: %w", c.TenantID, err)
		}
	}
	return nil
}

func (x *Indexes) apply(ctx context.Context, c Change, step func(string)) error {
	name, err := x.name(ctx, c.TenantID)
	if err != nil {
		return err
	}
	if c.NotedKind != Shared {
		if err := x.note(ctx, c.TenantID, Shared); err != nil {
			return err
		}
	}
	if c.IndexName != nil && !c.usable(c.To) {
		step("drop " + *c.IndexName)
		if err := x.alone(ctx, "DROP INDEX CONCURRENTLY IF EXISTS public."+pgx.Identifier{*c.IndexName}.Sanitize()); err != nil {
			return err
		}
	}
	if c.To == Shared {
		return nil
	}
	if !c.usable(c.To) {
		step("build " + name)
		if err := x.build(ctx, name, c); err != nil {
			return err
		}
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup) // an index that is there is noted
	defer cancel()
	return x.note(after, c.TenantID, c.To)
}

// cleanup is how long it may take to note what was built, or to drop what was not, after an interrupt.
const cleanup = 30 * time.Second

func (x *Indexes) build(ctx context.Context, name string, c Change) error {
	column := "search_tsv"
	if c.To == OwnRUM {
		column += " rum_tsvector_ops"
	}
	// A uuid is written in hex digits and hyphens alone.
	err := x.alone(ctx, fmt.Sprintf(`CREATE INDEX CONCURRENTLY %s ON public.documents USING %s (%s)%s WHERE tenant_id = '%s'`,
		pgx.Identifier{name}.Sanitize(), c.To, column, options(c.To), c.TenantID))
	if err == nil {
		return nil
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	if derr := x.alone(after, "DROP INDEX CONCURRENTLY IF EXISTS public."+pgx.Identifier{name}.Sanitize()); derr != nil {
		return fmt.Errorf("%w; the next run drops what was built", err)
	}
	return err
}

// options are like those of the shared index: words that wait in the list are searched one by one.
func options(kind IndexKind) string {
	if kind == OwnGIN {
		return " WITH (gin_pending_list_limit = 512)"
	}
	return ""
}

// alone runs a statement on a connection of its own, outside of transactions, after the one before has ended: a server hears
// later than the program that a statement was given up, and a build that goes on would come after the clean-up.
func (x *Indexes) alone(ctx context.Context, sql string) error {
	s, err := x.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Lock(ctx, lockName+": statement"); err != nil {
		return err
	}
	return s.Exec(ctx, sql)
}

// name returns the name of a tenant's index. It is errs.Conflict when it is that of another tenant.
func (x *Indexes) name(ctx context.Context, tenantID uuid.UUID) (string, error) {
	type row struct {
		Name  string
		Taken bool
	}
	r, err := db.Get[row](ctx, db.Read(x.db), "index", `
		-- name: searchsettings.IndexName
		SELECT search_index_name(@tenant) AS name,
		       EXISTS (SELECT FROM own_search_indexes() o
		               WHERE o.name = search_index_name(@tenant) AND o.tenant_id IS DISTINCT FROM @tenant) AS taken`,
		pgx.NamedArgs{"tenant": tenantID})
	if err == nil && r.Taken {
		err = errs.Newf(errs.Conflict, "Another tenant has an index with the name %s.", r.Name)
	}
	return r.Name, err
}

// note tells searches which index there is.
func (x *Indexes) note(ctx context.Context, tenantID uuid.UUID, kind IndexKind) error {
	_, err := db.Exec(ctx, x.db, `
		-- name: searchsettings.NoteIndex
		SELECT set_search_index(@tenant, @kind)`,
		pgx.NamedArgs{"tenant": tenantID, "kind": string(kind)})
	return err
}

func (x *Indexes) needRUM(ctx context.Context) error {
	type row struct{ Available, Installed bool }
	r, err := db.Get[row](ctx, db.Read(x.db), "extension", `
		-- name: searchsettings.RUM
		SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'rum') AS available,
		       EXISTS (SELECT FROM pg_extension WHERE extname = 'rum') AS installed`)
	switch {
	case err != nil:
		return err
	case r.Installed:
		return nil
	case r.Available:
		return errs.New(errs.NotImplemented, "The extension rum is not in this database; an administrator can create it: CREATE EXTENSION rum.")
	default:
		return errs.New(errs.NotImplemented, "The server does not have the extension rum.")
	}
}
