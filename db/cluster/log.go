package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	logName  = "server.log"
	logLimit = 16 * mebibyte
)

// openOutput opens what the server writes to until its own log is open, and tells how long server.log is by now. A
// throw-away server has no log collector and writes straight to server.log.
func (c *Cluster) openOutput() (*os.File, int64, error) {
	name, flag := "startup.log", os.O_TRUNC
	if c.opts.Ephemeral {
		name, flag = logName, os.O_APPEND
	}
	var seen int64
	if fi, err := os.Stat(filepath.Join(c.dir, logName)); err == nil {
		seen = fi.Size()
	}
	path := filepath.Join(c.dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag|noFollow, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("cluster: %w", err)
	}
	if c.account.drop {
		if err := f.Chown(c.account.uid, c.account.gid); err != nil {
			return nil, 0, errors.Join(fmt.Errorf("cluster: %w", err), f.Close())
		}
	}
	return f, seen, nil
}

// lastWords returns the end of what the server wrote since its start, server.log from offset seen on.
func (c *Cluster) lastWords(seen int64) string {
	var lines []string
	for _, name := range []string{"startup.log", logName} {
		f, err := os.Open(filepath.Join(c.dir, name))
		if err != nil {
			continue
		}
		from := seen
		if name == "startup.log" {
			from = 0
		}
		if _, err := f.Seek(from, io.SeekStart); err == nil {
			text, _ := io.ReadAll(io.LimitReader(f, mebibyte)) // what could be read is enough
			lines = append(lines, strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })...)
		}
		_ = f.Close()
	}
	if len(lines) == 0 {
		return ""
	}
	return "; its last words:\n\t" + strings.Join(lines[max(len(lines)-12, 0):], "\n\t")
}

// rotateLog keeps server.log below logLimit, with one older file, until Stop. The server cannot do it by itself under a
// fixed name: it would open the same file again.
func (c *Cluster) rotateLog() {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-tick.C:
			if err := c.rotateIfLarge(); err != nil {
				c.opts.Log.Warn().Err(err).Msg("database log could not be rotated")
			}
		}
	}
}

// rotateIfLarge renames a server.log of more than logLimit bytes and lets a running server open a new one.
func (c *Cluster) rotateIfLarge() error {
	path := filepath.Join(c.dir, logName)
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() <= logLimit {
		return nil
	}
	if err == nil {
		err = os.Rename(path, path+".1")
	}
	if err == nil && c.server != nil {
		// The postmaster tells its log collector when it finds this file.
		err = c.replace(filepath.Join(c.data(), "logrotate"), nil)
		if err == nil {
			err = sendSignal(c.server.pid, signalReopenLog)
		}
	}
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}
