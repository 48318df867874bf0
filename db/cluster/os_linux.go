package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// runs tells whether a process exists and has not ended. An ended one whose parent does not collect it still exists.
func runs(pid int) bool {
	if !exists(pid) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return exists(pid) // ended in between, or /proc is hidden
	}
	// "123 (name) S …"; the name may hold anything, so the last parenthesis counts.
	_, state, _ := strings.Cut(string(stat[max(bytes.LastIndexByte(stat, ')'), 0):]), " ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// serves tells whether a process is the postmaster of a data folder, which is then its current folder.
func serves(pid int, data string) bool {
	if !runs(pid) {
		return false
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if !strings.HasPrefix(string(name), "postgres") && !strings.HasPrefix(string(name), "postmaster") {
		return false
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err != nil || cwd == data // of another user's server the folder cannot be read: assume the worst
}

// freeBytes returns the free space of a folder's file system; 0 when there is no such folder.
func freeBytes(dir string) int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0
	}
	return int64(st.Bavail) * st.Bsize //nolint:gosec // no file system has more
}

// memory returns the bytes of memory this process may use; 0 when unknown.
func memory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	total := int64(info.Totalram) * int64(info.Unit) //nolint:gosec // no machine has more
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			total = min(total, limit)
		}
	}
	return total
}
