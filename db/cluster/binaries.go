package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// binaries is one installed server.
type binaries struct {
	dir          string
	major, minor int
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

// findBinaries returns the server in dir, or with an empty dir the newest on this machine. With want above 0 it must be
// of that major version, because a data folder can be opened by the version that made it only.
func findBinaries(ctx context.Context, dir string, want int) (binaries, error) {
	if dir != "" {
		b, ok := inspect(ctx, dir)
		if !ok {
			return binaries{}, fmt.Errorf("%w: %s holds no postgres and initdb that run", ErrNotInstalled, dir)
		}
		if want > 0 && b.major != want {
			return binaries{}, fmt.Errorf("cluster: the data was made by PostgreSQL %d, but %s holds PostgreSQL %d",
				want, dir, b.major)
		}
		return b, nil
	}
	var found []binaries
	for _, d := range candidates(ctx) {
		if b, ok := inspect(ctx, d); ok {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return binaries{}, fmt.Errorf("%w: %s", ErrNotInstalled, advice())
	}
	slices.SortStableFunc(found, func(a, b binaries) int {
		if a.major != b.major {
			return b.major - a.major
		}
		return b.minor - a.minor
	})
	if want == 0 {
		return found[0], nil
	}
	for _, b := range found {
		if b.major == want {
			return b, nil
		}
	}
	return binaries{}, fmt.Errorf("cluster: the data was made by PostgreSQL %d, but this machine has PostgreSQL %d only: "+
		"install version %d, or dump the data with it and start with an empty folder", want, found[0].major, want)
}

// candidates lists folders that may hold a server, each once.
func candidates(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",       // Debian, Ubuntu
		"/usr/pgsql-*/bin",                // PostgreSQL's own packages for Fedora and its relatives
		"/usr/libexec/postgresql*",        // Alpine
		"/usr/lib/postgresql*/bin",        // openSUSE
		"/usr/local/pgsql/bin",            // built from source
		"/opt/homebrew/opt/postgres*/bin", // Homebrew on Apple processors
		"/usr/local/opt/postgres*/bin",    // Homebrew on Intel
		"/opt/local/lib/postgresql*/bin",  // MacPorts
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, err := filepath.Glob(pattern)
		if err == nil {
			dirs = append(dirs, matches...)
		}
	}
	if program, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(program))
	}

	seen := map[string]bool{}
	return slices.DeleteFunc(dirs, func(d string) bool {
		program, err := filepath.EvalSymlinks(filepath.Join(d, "postgres"))
		if err != nil || seen[program] {
			return true
		}
		seen[program] = true
		return false
	})
}

// inspect asks the server in a folder for its version.
func inspect(ctx context.Context, dir string) (binaries, bool) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, false
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, false
	}
	// "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", or "18beta1" instead of a minor version.
	m := regexp.MustCompile(`\(PostgreSQL\) (\d+)(?:\.(\d+))?`).FindStringSubmatch(string(out))
	if m == nil {
		return binaries{}, false
	}
	b := binaries{dir: dir}
	b.major, _ = strconv.Atoi(m[1])
	b.minor, _ = strconv.Atoi(m[2])
	return b, true
}

// advice says how to install PostgreSQL on this kind of machine.
func advice() string {
	if runtime.GOOS == "darwin" {
		return "run `brew install postgresql@17 pgvector`, or set PG_BIN to the folder of the postgres program"
	}
	release, _ := os.ReadFile("/etc/os-release")
	var how string
	switch {
	case strings.Contains(string(release), "debian"): // Ubuntu says so in ID_LIKE
		how = "run scripts/setup"
	case strings.Contains(string(release), "fedora"):
		how = "run `dnf install postgresql-server postgresql-contrib`"
	case strings.Contains(string(release), "alpine"):
		how = "run `apk add postgresql postgresql-contrib`"
	default:
		how = "run scripts/setup on Debian or Ubuntu, elsewhere install PostgreSQL and its contrib modules"
	}
	return how + ", or set PG_BIN to the folder of the postgres program"
}

// libraries returns a function that tells whether a preloadable library is installed for b.
func (b binaries) libraries(ctx context.Context) func(name string) bool {
	major := strconv.Itoa(b.major)
	dirs := []string{
		filepath.Join(b.dir, "../lib"), filepath.Join(b.dir, "../lib/postgresql"),
		"/usr/lib64/pgsql", "/usr/lib/postgresql" + major, "/usr/lib/postgresql",
	}
	if out, err := exec.CommandContext(ctx, b.path("pg_config"), "--pkglibdir").Output(); err == nil {
		dirs = []string{strings.TrimSpace(string(out))}
	}
	exists := func(dir, name string) bool {
		for _, suffix := range []string{".so", ".dylib"} {
			if _, err := os.Stat(filepath.Join(dir, name+suffix)); err == nil {
				return true
			}
		}
		return false
	}
	// Every server has plpgsql beside its other libraries, so it tells which of the folders is the right one.
	i := slices.IndexFunc(dirs, func(dir string) bool { return exists(dir, "plpgsql") })
	return func(name string) bool {
		name = strings.TrimPrefix(name, "$libdir/")
		if filepath.IsAbs(name) {
			_, err := os.Stat(name)
			return err == nil || exists("", name)
		}
		return i >= 0 && exists(dirs[i], name)
	}
}
