package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// settingsFile is included first in postgresql.conf and written anew at each start, so that what a user sets in
// postgresql.conf wins, and what the product needs reaches clusters that an older version made.
const settingsFile = "stackforge.conf"

const mebibyte = 1 << 20

// preloadable are the libraries that work only, or fully, when the server loads them at start.
func preloadable(contribOnly bool) []string {
	if contribOnly {
		return []string{"pg_stat_statements"}
	}
	return []string{"pg_stat_statements", "pgaudit", "pg_cron", "plpgsql_check"}
}

// preloads returns the libraries to load at start: what the cluster has loaded so far and is still installed, then what
// is new. Leaving one out would break databases that use it (with pgaudit, every DDL), a missing file stops the start.
func preloads(before, wanted []string, installed func(string) bool) []string {
	var list []string
	for _, name := range slices.Concat(before, wanted) {
		if name != "" && !slices.Contains(list, name) && installed(name) {
			list = append(list, name)
		}
	}
	return list
}

// setting is one line of a settings file.
type setting struct{ name, value string }

// settings returns the package's own settings, without those that need a preloaded library.
func (c *Cluster) settings() []setting {
	buffers := min(max(memory()/4, 128*mebibyte), 512*mebibyte)
	s := []setting{
		{"cluster_name", "stackforge"},
		{"listen_addresses", ""},
		{"max_worker_processes", "24"}, // pg_cron takes one for each running job, parallel queries take the rest
		{"jit", "off"},                 // compiling costs more than it saves on queries of milliseconds
		{"random_page_cost", "1.1"},
		{"wal_compression", "on"},
		{"max_wal_size", "2GB"},
		{"autovacuum", "on"},
		{"log_line_prefix", "%m [%p] %q%u@%d "},
		{"log_statement", "none"}, // statements hold personal data
		{"log_min_duration_statement", "-1"},
	}
	if c.opts.Ephemeral {
		return append(
			s,
			setting{"shared_buffers", "128MB"},
			setting{"max_connections", "300"},
			setting{"fsync", "off"},
			setting{"synchronous_commit", "off"},
			setting{"full_page_writes", "off"},
			setting{"wal_level", "minimal"},
			setting{"max_wal_senders", "0"}, // wal_level minimal asks for it
			setting{"log_checkpoints", "off"},
		)
	}
	s = append(
		s,
		setting{"shared_buffers", strconv.FormatInt(buffers/mebibyte, 10) + "MB"},
		setting{"max_connections", "200"},
		setting{"synchronous_commit", "on"},
		setting{"logging_collector", "on"},
		setting{"log_directory", c.dir},
		setting{"log_filename", logName},
		setting{"log_rotation_size", "0"}, // a fixed name cannot be rotated by the server: see rotateLog
		setting{"log_rotation_age", "0"},
	)
	if total := memory(); total > 0 {
		s = append(s, setting{"effective_cache_size", strconv.FormatInt(total/2/mebibyte, 10) + "MB"})
	}
	return s
}

// librarySettings returns the settings of the libraries in list.
func librarySettings(list []string, database string) []setting {
	s := []setting{{"shared_preload_libraries", strings.Join(list, ",")}}
	if slices.Contains(list, "pg_stat_statements") {
		s = append(s, setting{"pg_stat_statements.track", "all"})
	}
	if slices.Contains(list, "pgaudit") {
		// Class write and log_parameter would put every stored value into the log.
		s = append(s, setting{"pgaudit.log", "ddl, role"}, setting{"pgaudit.log_catalog", "off"})
	}
	if slices.Contains(list, "pg_cron") {
		// With background workers pg_cron needs no connection of its own, so neither TCP nor a password.
		s = append(s, setting{"cron.database_name", database}, setting{"cron.use_background_workers", "on"})
	}
	return s
}

// writeSettings writes the settings file and makes postgresql.conf include it. It tells whether the text has changed.
func (c *Cluster) writeSettings(ctx context.Context) (changed bool, err error) {
	path := filepath.Join(c.data(), settingsFile)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("cluster: %w", err)
	}
	extra := maps.Clone(c.opts.Settings)
	wanted := slices.Concat(preloadable(c.opts.ContribOnly), splitList(extra["shared_preload_libraries"]))
	delete(extra, "shared_preload_libraries")
	list := preloads(listedPreloads(string(old)), wanted, c.bin.libraries(ctx))

	all := append(c.settings(), librarySettings(list, c.opts.Database)...)
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		all = append(all, setting{name, extra[name]})
	}
	text, err := format(all)
	if err != nil {
		return false, err
	}
	if err := c.include(c.data(), false); err != nil {
		return false, err
	}
	if bytes.Equal(old, text) {
		return false, nil
	}
	return true, c.replace(path, text)
}

// include makes sure that postgresql.conf of a data folder, fresh from initdb or not, includes the settings file first.
func (c *Cluster) include(data string, fresh bool) error {
	path := filepath.Join(data, "postgresql.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if regexp.MustCompile(`(?m)^\s*include(_if_exists)?\s*=?\s*'` + regexp.QuoteMeta(settingsFile) + `'`).Match(text) {
		return nil
	}
	if fresh {
		// initdb's own values would win over the included ones.
		text = regexp.MustCompile(`(?m)^(max_connections|shared_buffers|max_wal_size|min_wal_size)\b`).ReplaceAll(text, []byte("#$1"))
	}
	head := "# " + settingsFile + " is written anew at each start of Stackforge. What you set below wins over it.\n" +
		"include = '" + settingsFile + "'\n\n"
	return c.replace(path, append([]byte(head), text...))
}

// replace writes a file of the data folder as a whole, owned by the server's user.
func (c *Cluster) replace(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if c.account.drop {
		err = errors.Join(err, f.Chown(c.account.uid, c.account.gid))
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cluster: write %s: %w", path, err)
	}
	return nil
}

// format writes settings as PostgreSQL reads them. A name that is none, or a value of several lines, is an error.
func format(all []setting) ([]byte, error) {
	name := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)
	quote := strings.NewReplacer(`'`, `''`, `\`, `\\`)
	var b bytes.Buffer
	b.WriteString("# Written by Stackforge at each start: changes are lost. Set your own values in postgresql.conf.\n")
	for _, s := range all {
		if !name.MatchString(s.name) || strings.ContainsAny(s.value, "\n\r\x00") {
			return nil, fmt.Errorf("cluster: %q = %q is no PostgreSQL setting", s.name, s.value)
		}
		fmt.Fprintf(&b, "%s = '%s'\n", s.name, quote.Replace(s.value))
	}
	return b.Bytes(), nil
}

// listedPreloads reads the library list back from a settings file's text.
func listedPreloads(text string) []string {
	m := regexp.MustCompile(`(?m)^shared_preload_libraries = '(.*)'$`).FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	return splitList(m[1])
}

// splitList splits a comma separated list, without blanks and empty elements.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
