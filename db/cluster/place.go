package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// elsewhere holds the data of folders that the server's user cannot reach.
const elsewhere = "/var/lib/stackforge"

// maxSocketPath is the most bytes a socket's path may have; macOS takes 103, Linux 107.
const maxSocketPath = 103

// socketPrefix begins the name of a socket folder outside the cluster's own.
const socketPrefix = "stackforge-"

// account is the user the server runs as.
type account struct {
	uid, gid int
	name     string
	drop     bool // this process is root and has to become that user
}

// locate settles the account, the binaries, the folder and the folder of the socket.
func (c *Cluster) locate(ctx context.Context) (err error) {
	dir := c.opts.Dir
	if dir == "" {
		if !c.opts.Ephemeral {
			return errors.New("cluster: Options.Dir is empty")
		}
		if dir, err = makeThrowaway(ctx, c.opts.Log); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_ = os.RemoveAll(dir)
			}
		}()
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	major, err := dataVersion(filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	if c.opts.Ephemeral {
		major = 0 // leftovers are thrown away, whatever made them
	}
	if c.bin, err = findBinaries(ctx, c.opts.BinDir, major); err != nil {
		return err
	}
	if c.account, err = chooseAccount(filepath.Join(dir, "data")); err != nil {
		return err
	}
	if c.dir, err = c.place(ctx, dir); err != nil {
		return err
	}
	return c.checkContents()
}

// dataVersion reads the major version that made a data folder; 0 when there is none.
func dataVersion(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return 0, fmt.Errorf("cluster: %s belongs to another user; start as that user or as root: %w", data, err)
	}
	if err != nil {
		return 0, fmt.Errorf("cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("cluster: %s/PG_VERSION: %w", data, err)
	}
	return major, nil
}

// chooseAccount returns this process's user; or, for root, the owner of existing data, or the first of the users
// postgres, nobody and daemon that exists.
func chooseAccount(data string) (account, error) {
	me := account{uid: os.Geteuid(), gid: os.Getegid()}
	fi, err := os.Stat(data)
	owner, ownerGroup := 0, 0
	if err == nil {
		owner, ownerGroup = ownerOf(fi)
	}
	if me.uid != 0 {
		if err == nil && owner != me.uid {
			return account{}, fmt.Errorf("cluster: %s belongs to user %d; start as that user or as root", data, owner)
		}
		return me, nil
	}
	if owner != 0 {
		return account{uid: owner, gid: ownerGroup, name: strconv.Itoa(owner), drop: true}, nil
	}
	for _, name := range []string{"postgres", "nobody", "daemon"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return account{uid: uid, gid: gid, name: name, drop: true}, nil
		}
	}
	return account{}, errors.New("cluster: PostgreSQL does not run as root, and there is no user postgres or nobody to run it")
}

// place makes the folder and returns its real path. When the server's user cannot reach it, the data goes to
// /var/lib/stackforge and dir becomes a link to it.
func (c *Cluster) place(ctx context.Context, dir string) (string, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		resolved = dir
		if target, err := os.Readlink(dir); err == nil && within(target, elsewhere) {
			resolved = target // the link is there, what it points to was removed
		}
	} else if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	if resolved == dir && c.account.drop && !c.reaches(ctx, parent) {
		if !c.reaches(ctx, "/") {
			return "", fmt.Errorf("cluster: cannot run %s as user %s", c.bin.path("postgres"), c.account.name)
		}
		if resolved, err = c.redirect(dir); err != nil {
			return "", err
		}
	}
	if within(resolved, elsewhere) {
		// Whatever root's umask is, the server's user must be able to pass.
		if err := errors.Join(os.MkdirAll(elsewhere, 0o755), os.Chmod(elsewhere, 0o755)); err != nil { //nolint:gosec // see above
			return "", fmt.Errorf("cluster: %w", err)
		}
	}
	if err := os.MkdirAll(resolved, 0o755); err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	// Links on the way are resolved so that names can be compared with those the server reports.
	if resolved, err = filepath.EvalSymlinks(resolved); err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	return resolved, nil
}

// redirect makes dir a link into /var/lib/stackforge and returns where it points to.
func (c *Cluster) redirect(dir string) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	target := filepath.Join(elsewhere, hex.EncodeToString(sum[:8]))
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cluster: user %s cannot reach %s, and it is not empty: move its content to %s, or let others pass its parent folders: %w",
			c.account.name, dir, target, err)
	}
	if err := os.Symlink(target, dir); err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	c.opts.Log.Info().Str("folder", dir).Str("target", target).Str("user", c.account.name).
		Msg("the database's user cannot reach the folder: its data is kept elsewhere")
	return target, nil
}

// reaches tells whether the server's user can enter a folder. It tries, because modes alone do not tell.
func (c *Cluster) reaches(ctx context.Context, dir string) bool {
	cmd := c.command(ctx, "postgres", "--version")
	cmd.Dir = dir
	return cmd.Run() == nil
}

// checkContents refuses a folder with other things in it, because the folder is handed to the server's user and, when
// throw-away, removed. It then hands it over.
func (c *Cluster) checkContents() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	ours := []string{"data", "data.new", "lock", "parent", "socket", "startup.log", logName, logName + ".1"}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) && !has("data") {
			return fmt.Errorf("cluster: %s holds %s and no database: give a folder of its own", c.dir, e.Name())
		}
	}
	if c.opts.Ephemeral && has("data") && !has("parent") {
		return fmt.Errorf("cluster: %s holds a durable database, which a throw-away one would remove", c.dir)
	}
	if c.account.drop {
		if err := os.Chown(c.dir, c.account.uid, c.account.gid); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	return nil
}

// makeSocketDir makes the folder of the socket: short, for the path of a socket is limited, and closed to others.
func (c *Cluster) makeSocketDir() (string, error) {
	file := "/.s.PGSQL." + strconv.Itoa(defaultPort)
	if dir := filepath.Join(c.dir, "socket"); c.opts.Ephemeral && len(dir)+len(file) <= maxSocketPath {
		return dir, c.makePrivate(dir)
	}
	temp := os.TempDir()
	if c.account.drop || len(temp)+len("/"+socketPrefix+"0123456789")+len(file) > maxSocketPath {
		temp = "/tmp" // a folder of root's own is closed to the server's user
	}
	sum := sha256.Sum256([]byte(c.dir))
	dir := filepath.Join(temp, socketPrefix+hex.EncodeToString(sum[:5]))
	if err := c.makePrivate(dir); err == nil {
		return dir, nil
	}
	// Somebody else has that name.
	dir, err := os.MkdirTemp(temp, socketPrefix)
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	return dir, c.makePrivate(dir)
}

// removeSocket removes the socket that a killed server left in a private folder. PostgreSQL does so too, but not when the
// dead process was not collected by its parent, or its number is used again.
func removeSocket(dir string) {
	file := filepath.Join(dir, ".s.PGSQL."+strconv.Itoa(defaultPort))
	_ = os.Remove(file)
	_ = os.Remove(file + ".lock")
}

// makePrivate makes a folder that only the server's user can enter, or checks that an existing one is that.
func (c *Cluster) makePrivate(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cluster: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	owner, _ := ownerOf(fi)
	if !fi.IsDir() || (owner != c.account.uid && owner != os.Geteuid()) || fi.Mode().Perm() != 0o700 {
		return fmt.Errorf("cluster: %s is not a private folder", dir)
	}
	if owner != c.account.uid {
		if err := os.Chown(dir, c.account.uid, c.account.gid); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	}
	return nil
}

// within tells whether path lies in folder dir.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != "." && filepath.IsLocal(rel)
}
