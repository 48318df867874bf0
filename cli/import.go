package cli

import (
	"context"
	"os"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/importer"
)

type importCmd struct {
	Documents importDocumentsCmd `cmd:"" help:"Load documents from NDJSON: a file, gzip or not, or - for stdin."`
	Node      importNodeCmd      `cmd:"" help:"Copy the database of the Node service: users, keys, documents, jobs, records of files."`
}

type importDocumentsCmd struct {
	File    string    `arg:"" help:"The file, or - for stdin. Each line is an object: title, body, path, metadata, tagIds, longitude, latitude, language, id, externalId."`
	Tenant  uuid.UUID `required:"" help:"The tenant's id."`
	Author  string    `help:"E-mail of the user who becomes the author; the tenant's first user by default."`
	Rejects string    `help:"File for lines that are not valid; <file>.rejects.ndjson by default. Made only when there are any."`
	Batch   int       `default:"1000" help:"Lines a statement."`
	Workers int       `default:"2" help:"Connections that load at the same time."`
}

// Run imports; the exit code is 0 only when every line went in.
func (c importDocumentsCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleAPI, func(h *db.DB, _ string) error {
		clean, err := importer.Command(ctx, h, importer.CommandOptions{
			Tenant: c.Tenant, Author: c.Author, Path: c.File, Rejects: c.Rejects, BatchLines: c.Batch, Workers: c.Workers,
			Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr,
		})
		if err == nil && !clean {
			return errReported
		}
		return err
	})
}

type debianCmd struct {
	Tags string `required:"" help:"File for the names of the tag ids."`
}

// Run turns the package index on stdin into documents on stdout.
func (c debianCmd) Run(p *program) error {
	tags, err := os.Create(c.Tags)
	if err != nil {
		return err
	}
	if err := importer.DebianIndex(p.Stdin, p.Stdout, tags); err != nil {
		_ = tags.Close() // the first error counts
		return err
	}
	return tags.Close()
}
