package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Bars of the start.
const (
	firstStartBar  = 15 * time.Second
	secondStartBar = 4 * time.Second
)

// startPart measures what a person waits for who starts the product in an empty folder, and then again.
func (b *bench) startPart(ctx context.Context) error {
	dir := filepath.Join(b.dir, "fresh")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the database's user passes through
		return err
	}
	first, key, err := b.startOnce(ctx, dir, "")
	if err != nil {
		return err
	}
	again, _, err := b.startOnce(ctx, dir, key)
	if err != nil {
		return err
	}
	b.report.bound("start", "first start to the first GraphQL answer", seconds(first), "initdb, migrations, seed", "", "≤ 15 s", first <= firstStartBar)
	b.report.bound("start", "second start to the first GraphQL answer", seconds(again), "the same folder", "", "≤ 4 s", again <= secondStartBar)
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// startOnce starts the product, waits for an answer with data, and stops it. Without a key it takes the one that the seed
// prints, as a person would.
func (b *bench) startOnce(ctx context.Context, dir, key string) (time.Duration, string, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return 0, "", err
	}
	begin := time.Now()
	p, err := b.start(ctx, "embedded", b.bin, settings("", addr, dir), "serve", "--embedded", "--worker", "--migrate", "--seed")
	if err != nil {
		return 0, "", err
	}
	defer p.stop()
	if err := p.answers(ctx, addr); err != nil {
		return 0, "", err
	}
	if key == "" {
		if key, err = printedKey(p.log); err != nil {
			return 0, "", err
		}
	}
	err = graphql(ctx, addr, key, `{"query":"{ documents(first: 1) { id title } }"}`)
	return time.Since(begin), key, err
}

// printedKey finds the first key among what the process wrote: "    tenant  key  (name)".
func printedKey(log string) (string, error) {
	text, err := os.ReadFile(filepath.Clean(log))
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?m)^ +[0-9a-f-]{36}  (\S+)  \(`).FindSubmatch(text)
	if m == nil {
		return "", errors.New("the seed printed no key")
	}
	return string(m[1]), nil
}
