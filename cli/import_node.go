package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"stackforge/db"
	"stackforge/importer/node"
)

type importNodeCmd struct {
	From           string `required:"" env:"NODE_DATABASE_URL" help:"Connection string of the Node service's database; it is only read."`
	EmbeddingModel string `help:"Model that made the vectors of its documents; without it the vectors stay behind."`
	Keys           string `default:"node-files.tsv" help:"File for the keys of the stored objects, old and new with a tab between, one file a line. Made only when there are any."`
}

// Run copies; the exit code is 0 only when every row went in.
func (c importNodeCmd) Run(ctx context.Context, p *program) error {
	url, stop, err := p.database(ctx, false)
	if err != nil {
		return err
	}
	defer stop()
	to, err := db.OpenSession(ctx, p.dbConfig(url, db.RoleOwner, "task-runner"))
	if err != nil {
		return err
	}
	defer to.Close()
	from, err := db.OpenSession(ctx, db.Config{URL: c.From, ApplicationName: "task-runner"})
	if err != nil {
		return fmt.Errorf("the Node service's database: %w", err)
	}
	defer from.Close()
	r, err := node.Copy(ctx, from.Conn(), to.Conn(), node.Options{
		EmbeddingModel: c.EmbeddingModel,
		Progress:       func(t node.Table) { p.say("%s: %d read", t.Name, t.Read) },
	})
	if err != nil {
		return err
	}
	return c.tell(p, r)
}

// tell prints what was done, and fails when a row was left out.
func (c importNodeCmd) tell(p *program, r node.Report) error {
	rejected := int64(0)
	err := p.table("TABLE\tREAD\tWRITTEN\tALREADY THERE\tREJECTED", func(row func(...any)) {
		for _, t := range r.Tables {
			row(t.Name, t.Read, t.Written, t.Present, t.Rejected)
			rejected += t.Rejected
		}
	})
	if err != nil {
		return err
	}
	for _, x := range r.Rejects {
		p.say("%s %s: %s", x.Table, x.ID, x.Reason)
	}
	if len(r.Objects) > 0 {
		if err := c.writeKeys(r.Objects); err != nil {
			return err
		}
		p.say("%d files: copy each object to its new key, as %s has them", len(r.Objects), c.Keys)
	}
	if rejected > 0 {
		return errReported
	}
	return nil
}

func (c importNodeCmd) writeKeys(list []node.Object) error {
	f, err := os.OpenFile(filepath.Clean(c.Keys), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for _, o := range list {
		fmt.Fprintf(w, "%s\t%s\n", o.Old, o.New)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
