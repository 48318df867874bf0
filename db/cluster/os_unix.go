//go:build linux || darwin

package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

const (
	supported = true
	noFollow  = syscall.O_NOFOLLOW // folders of the server's user are not trusted with root's files

	signalFast      = syscall.SIGINT  // ends sessions and shuts down cleanly
	signalImmediate = syscall.SIGQUIT // as a crash
	signalReopenLog = syscall.SIGUSR1
)

// processAttributes puts a process into a session of its own and, when needed, under another user.
func processAttributes(a account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // ids fit
	}
	return attr
}

// takeLock opens a lock file that the kernel unlocks when this process ends, however it ends. It returns ErrInUse when
// another process, or another Cluster of this one, holds it; dir is for the message.
func takeLock(path, dir string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|noFollow, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("cluster: %s belongs to another user; start as that user or as root: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		text, _ := io.ReadAll(io.LimitReader(f, 20))
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: folder %s, process %s", ErrInUse, dir, strings.TrimSpace(string(text)))
		}
		return nil, fmt.Errorf("cluster: lock %s: %w", path, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: %w", err), f.Close())
	}
	return f, nil
}

// ownerOf returns a file's user and group.
func ownerOf(fi fs.FileInfo) (uid, gid int) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

func sendSignal(pid int, s syscall.Signal) error { return syscall.Kill(pid, s) }

// exists tells whether a process has this number, even one that has ended and was not collected by its parent.
func exists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
