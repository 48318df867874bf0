//go:build !linux && !darwin

package cluster

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// On these systems Start returns an error before it calls any of this.
const (
	supported = false
	noFollow  = 0

	signalFast      = syscall.SIGINT
	signalImmediate = syscall.SIGQUIT
	signalReopenLog = syscall.SIGHUP
)

func exists(int) bool                                { return false }
func freeBytes(string) int64                         { return 0 }
func memory() int64                                  { return 0 }
func ownerOf(fs.FileInfo) (uid, gid int)             { return -1, -1 }
func processAttributes(account) *syscall.SysProcAttr { return nil }
func runs(int) bool                                  { return false }
func sendSignal(int, syscall.Signal) error           { return errors.ErrUnsupported }
func serves(int, string) bool                        { return false }
func takeLock(string, string) (*os.File, error)      { return nil, errors.ErrUnsupported }
