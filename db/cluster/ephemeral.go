package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

const (
	throwawayPrefix = "stackforge-test-"
	memoryFolder    = "/dev/shm"
	memoryNeeded    = 1024 * mebibyte
)

// makeThrowaway makes a folder for a throw-away cluster and removes those of processes that are dead.
func makeThrowaway(ctx context.Context, log zerolog.Logger) (string, error) {
	parent := os.TempDir()
	if freeBytes(memoryFolder) > memoryNeeded {
		parent = memoryFolder
	}
	sweep(ctx, parent, log)
	dir, err := os.MkdirTemp(parent, throwawayPrefix)
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	if err := writeParent(dir); err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

// writeParent notes the process that a throw-away cluster dies with.
func writeParent(dir string) error {
	path := filepath.Join(dir, "parent")
	_ = os.Remove(path) // never written through a link: the folder may belong to the server's user
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

// sweep stops and removes the throw-away clusters in a folder whose processes are dead. What it cannot remove it leaves.
func sweep(ctx context.Context, parent string, log zerolog.Logger) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if !e.IsDir() || !strings.HasPrefix(e.Name(), throwawayPrefix) || !orphaned(dir) {
			continue
		}
		// The kernel gives the lock of a dead process back, so holding it proves that nobody else has the folder. A
		// process number alone proves nothing: numbers are used again.
		lock, err := takeLock(filepath.Join(dir, "lock"), dir)
		if err != nil {
			continue
		}
		if err := discard(ctx, dir, filepath.Join(dir, "data")); err == nil {
			err = os.RemoveAll(dir)
			log.Info().Err(err).Str("folder", dir).Msg("removed the throw-away database of a dead process")
		}
		_ = lock.Close()
	}
}

// orphaned tells whether the process that made a throw-away folder is dead.
func orphaned(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "parent"))
	if errors.Is(err, fs.ErrNotExist) {
		// Made this instant, or left by a process that died in the same instant.
		fi, err := os.Stat(dir)
		return err == nil && time.Since(fi.ModTime()) > time.Hour
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && !runs(pid)
}

// discardLeftover stops and removes what a killed process left in a throw-away cluster's folder.
func (c *Cluster) discardLeftover(ctx context.Context) error {
	for _, name := range []string{"data", "data.new"} {
		if err := discard(ctx, c.dir, filepath.Join(c.dir, name)); err != nil {
			return err
		}
	}
	return writeParent(c.dir)
}

// discard stops the server of a data folder and removes the folder.
func discard(ctx context.Context, dir, data string) error {
	resolved, err := filepath.EvalSymlinks(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if file, err := readPIDFile(resolved); err == nil && serves(file.pid, resolved) {
		if err := (&postmaster{pid: file.pid}).stop(ctx, signalImmediate); err != nil {
			return fmt.Errorf("cluster: stop the leftover PostgreSQL in %s: %w", dir, err)
		}
	}
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}
