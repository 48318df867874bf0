// Command schemadump writes the schema that results from migrations/ to a file, for people to read: tables with their
// constraints, indexes, policies, triggers and grants, and one line per function (whose text is in functions/).
//
//	go run ./db/dbtest/serve -- go run ./db/dbtest/schemadump migrations/schema.sql
//
// The server is the one of TEST_DATABASE_URL. The database is always migrated with contrib extensions only and partitions
// named by a date are left out, so that the file is the same on every machine and day.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/migrations"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schemadump file")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := write(ctx, os.Getenv("TEST_DATABASE_URL"), os.Args[1])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemadump:", err)
		os.Exit(1)
	}
}

// write dumps the schema of a database that it makes on the server and drops again.
func write(ctx context.Context, url, file string) (err error) {
	if url == "" {
		return errors.New("TEST_DATABASE_URL names no server; see the command's documentation")
	}
	admin, err := pgx.Connect(ctx, dbtest.WithDatabase(url, "postgres"))
	if err != nil {
		return err
	}
	name := fmt.Sprintf("test_%s_schemadump_%d", time.Now().UTC().Format("20060102"), os.Getpid())
	defer func() {
		ctx := context.WithoutCancel(ctx)
		_, derr := admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		err = errors.Join(err, derr, admin.Close(ctx))
	}()
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return err
	}
	text, err := migrated(ctx, dbtest.WithDatabase(url, name))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // a file of the source tree, for everybody to read
}

// migrated migrates an empty database and returns its dump.
func migrated(ctx context.Context, url string) (string, error) {
	c := db.MigrateConfig{Config: db.Config{URL: url}, Extensions: db.ExtensionsContrib}
	if _, err := db.Migrate(ctx, c, migrations.FS); err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	text, err := dump(ctx, conn)
	return text, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}
