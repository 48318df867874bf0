package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// fallbackAuthor is the user that an import makes for a tenant without users.
const fallbackAuthor = "import@localhost"

// CommandOptions are the parsed flags of `import documents`, with the streams of the process.
type CommandOptions struct {
	Tenant     uuid.UUID
	Author     string // e-mail of the author; "" for the tenant's first user
	Path       string // file, or "-" for Stdin
	Rejects    string // file for rejected lines; "" for <Path>.rejects.ndjson, or stdin.rejects.ndjson
	BatchLines int
	Workers    int
	Stdin      io.Reader
	Stdout     io.Writer // gets the report
	Stderr     io.Writer // gets the progress
}

// Command imports a file and writes a report for people. clean is false when a line was rejected, which is when the
// reject file exists. h acts as app_api.
// It is NotFound for an unknown tenant or author, else what Run and the files return.
func Command(ctx context.Context, h *db.DB, o CommandOptions) (clean bool, err error) {
	ctx = tenant.With(ctx, tenant.Scope{TenantID: o.Tenant, Scopes: []string{"*"}})
	author, err := authorOf(ctx, h, o.Tenant, o.Author)
	if err != nil {
		return false, err
	}
	in, size, name, err := o.open()
	if err != nil {
		return false, err
	}
	defer in.Close()
	out := &lazyFile{path: o.Rejects}
	if out.path == "" {
		out.path = name + ".rejects.ndjson"
	}
	if a, aerr := os.Stat(o.Path); aerr == nil {
		if b, berr := os.Stat(out.path); berr == nil && os.SameFile(a, b) {
			return false, errs.Field("rejects", "The rejects cannot go to the file that is imported.")
		}
	}
	// What an earlier run rejected is no news.
	if err := os.Remove(out.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("remove the old reject file: %w", err)
	}
	bar := NewBar(o.Stderr)
	report, err := Run(ctx, h, Options{
		TenantID: o.Tenant, AuthorID: author, Reader: in, TotalBytes: size, BatchLines: o.BatchLines, Workers: o.Workers,
		Rejects: out, OnProgress: bar.Show,
	})
	bar.Close()
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	fmt.Fprintln(o.Stdout, report)
	if report.Rejected > 0 {
		fmt.Fprintf(o.Stdout, "Rejected lines: %s\n", out.path)
	}
	return err == nil && report.Rejected == 0, err
}

// String is one line for people.
func (r Report) String() string {
	rate := float64(r.Lines) / max(r.Duration.Seconds(), 0.001)
	return fmt.Sprintf("%s lines in %s (%s/s): %s created, %s updated, %s unchanged, %s rejected.", thousands(r.Lines),
		r.Duration.Round(10*time.Millisecond), thousands(int64(rate)), thousands(r.Created), thousands(r.Updated),
		thousands(r.Unchanged), thousands(r.Rejected))
}

func (o CommandOptions) open() (in io.ReadCloser, size int64, name string, err error) {
	if o.Path == "-" {
		return io.NopCloser(o.Stdin), 0, "stdin", nil
	}
	f, err := os.Open(o.Path)
	if err != nil {
		return nil, 0, "", errs.Wrap(errs.Validation, err, "The file cannot be read: "+err.Error()+".")
	}
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		size = st.Size()
	}
	return f, size, o.Path, nil
}

// authorOf returns the user with the e-mail, or the tenant's first one, or one that is made for the purpose.
func authorOf(ctx context.Context, h *db.DB, tenantID uuid.UUID, email string) (uuid.UUID, error) {
	if _, err := db.Get[uuid.UUID](ctx, db.Read(h), "tenant", `
		-- name: importer.Tenant
		SELECT id FROM tenants WHERE id = @tenant`, pgx.NamedArgs{"tenant": tenantID}); err != nil {
		return uuid.Nil, err
	}
	id, err := db.Get[uuid.UUID](ctx, db.Read(h), "user with this e-mail address", `
		-- name: importer.Author
		SELECT id
		FROM app_users
		WHERE tenant_id = @tenant AND (@email = '' OR email = @email::citext)
		ORDER BY created_at, id
		LIMIT 1`, pgx.NamedArgs{"tenant": tenantID, "email": email})
	if email != "" || !errs.Is(err, errs.NotFound) {
		return id, err
	}
	return db.Get[uuid.UUID](ctx, h, "user", `
		-- name: importer.CreateAuthor
		SELECT id FROM create_user(@tenant, @email)`, pgx.NamedArgs{"tenant": tenantID, "email": fallbackAuthor})
}

// lazyFile is a file that is made when something is written to it.
type lazyFile struct {
	path string
	file *os.File
}

func (l *lazyFile) Write(p []byte) (int, error) {
	if l.file == nil {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, err
		}
		l.file = f
	}
	return l.file.Write(p)
}

// Close closes the file when there is one.
func (l *lazyFile) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
