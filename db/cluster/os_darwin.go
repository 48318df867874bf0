package cluster

import (
	"os/exec"
	"strconv"
	"strings"
)

// ps returns one column of what ps says about a process.
func ps(pid int, column string) string {
	out, err := exec.Command("ps", "-o", column+"=", "-p", strconv.Itoa(pid)).Output() //nolint:noctx // ends at once
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// runs tells whether a process exists and has not ended. An ended one whose parent does not collect it still exists.
func runs(pid int) bool {
	return exists(pid) && !strings.HasPrefix(ps(pid, "state"), "Z")
}

// serves tells whether a process is the postmaster of a data folder.
func serves(pid int, data string) bool {
	command := ps(pid, "command")
	return runs(pid) && strings.Contains(command, "postgres") && strings.Contains(command, data)
}

// freeBytes is asked for Linux's folder in memory only.
func freeBytes(string) int64 { return 0 }

// memory returns the bytes of memory of this machine; 0 when unknown.
func memory() int64 {
	out, err := exec.Command("sysctl", "-n", "hw.memsize").Output() //nolint:noctx // ends at once
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
