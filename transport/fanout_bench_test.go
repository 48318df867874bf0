package transport

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/transport/internal/fixture"
)

// dialRaw opens a graphql-transport-ws socket with as little client as possible, so that what is measured is the server.
func dialRaw(tb testing.TB, address string) (net.Conn, *bufio.Reader) {
	tb.Helper()
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", address)
	require.NoError(tb, err)
	_, err = io.WriteString(conn, "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n")
	require.NoError(tb, err)
	r := bufio.NewReaderSize(conn, 16<<10)
	for {
		line, err := r.ReadString('\n')
		require.NoError(tb, err)
		if line == "\r\n" {
			break
		}
	}
	writeRaw(tb, conn, `{"type":"connection_init"}`)
	err = readRaw(r)
	require.NoError(tb, err)
	return conn, r
}

// writeRaw sends a text frame with a mask of zeros.
func writeRaw(tb testing.TB, w io.Writer, text string) {
	tb.Helper()
	frame := []byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}
	_, err := w.Write(append(frame, text...))
	require.NoError(tb, err)
}

// readRaw skips one frame.
func readRaw(r *bufio.Reader) error {
	head, err := r.Peek(2)
	if err != nil {
		return err
	}
	n, skip := int(head[1]&127), 2
	if n == 126 {
		if head, err = r.Peek(4); err != nil {
			return err
		}
		n, skip = int(binary.BigEndian.Uint16(head[2:])), 4
	}
	_, err = r.Discard(skip + n)
	return err
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFanOut sends events to 500 subscribers in the same process, for the benchmark's time. It
// reports the CPU that server and clients take together, and how far behind the slowest delivery was.
func BenchmarkFanOut(b *testing.B) {
	for _, c := range []struct {
		shared bool
		rate   time.Duration // events a second; 0 is as fast as they are taken
	}{{true, 200}, {true, 0}, {false, 200}} {
		shared, rate := c.shared, c.rate
		b.Run(fmt.Sprintf("shared=%v/rate=%d", shared, rate), func(b *testing.B) {
			w := start(b, func(c *Config) {
				c.Limits.PingInterval = time.Hour // these clients answer none
				if shared {
					c.ShareKey = func(context.Context) string { return "all" }
				}
			})
			const subscribers = 500
			address := strings.TrimPrefix(w.url, "http://")
			var received, worst atomic.Int64
			var sent [1 << 16]atomic.Int64
			for range subscribers {
				conn, r := dialRaw(b, address)
				defer conn.Close()
				writeRaw(b, conn, `{"id":"1","type":"subscribe","payload":{"query":"subscription { events(topic: \"x\") { number topic body } }"}}`)
				go func() {
					for n := 0; ; n++ {
						if err := readRaw(r); err != nil {
							return
						}
						received.Add(1)
						late := time.Now().UnixNano() - sent[n&(1<<16-1)].Load()
						for old := worst.Load(); late > old && !worst.CompareAndSwap(old, late); old = worst.Load() {
						}
					}
				}()
			}
			require.Eventually(b, func() bool {
				if shared {
					return w.members() == subscribers
				}
				return w.resolver.Running() == subscribers
			}, 10*time.Second, time.Millisecond)
			event := &fixture.Event{Topic: "x", Number: 1, Body: strings.Repeat("b", 200)}
			began, used := time.Now(), cpuTime()
			b.ResetTimer()
			n := 0
			for b.Loop() {
				if rate > 0 {
					<-time.After(time.Until(began.Add(time.Duration(n) * time.Second / rate)))
				}
				sent[n&(1<<16-1)].Store(time.Now().UnixNano())
				w.resolver.Publish(b.Context(), event)
				n++
			}
			require.Eventually(b, func() bool { return received.Load() == int64(n)*subscribers }, 10*time.Second, time.Millisecond)
			took := time.Since(began)
			b.ReportMetric(float64(received.Load())/took.Seconds(), "msg/s")
			b.ReportMetric(float64(cpuTime()-used)/float64(took), "cores")
			b.ReportMetric(float64(worst.Load())/1e6, "worst-ms")
		})
	}
}

// members counts those who share executions.
func (h *Handler) members() (n int) {
	h.shares.mu.Lock()
	defer h.shares.mu.Unlock()
	for _, e := range h.shares.byKey {
		e.mu.Lock()
		n += len(e.members)
		e.mu.Unlock()
	}
	return n
}

var idleClient = flag.String("idle-client", "", "address to hold idle sockets at; for BenchmarkIdleSocket only")

// TestHoldIdleSockets is the client half of BenchmarkIdleSocket, in a process of its own.
func TestHoldIdleSockets(t *testing.T) { //nolint:paralleltest // runs alone or not at all
	if *idleClient == "" {
		t.Skip("only as a helper process")
	}
	for range 2000 {
		conn, _ := dialRaw(t, *idleClient)
		defer conn.Close()
	}
	_, _ = os.Stdout.WriteString("ready\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// BenchmarkIdleSocket reports the memory that one open, silent socket takes in the server: heap and stacks.
func BenchmarkIdleSocket(b *testing.B) {
	w := start(b, nil)
	for b.Loop() {
		before := inUse()
		cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=TestHoldIdleSockets", "-idle-client="+strings.TrimPrefix(w.url, "http://"))
		stdin, err := cmd.StdinPipe()
		require.NoError(b, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(b, err)
		require.NoError(b, cmd.Start())
		line, err := bufio.NewReader(stdout).ReadString('\n')
		require.NoError(b, err, line)
		<-time.After(100 * time.Millisecond) // the last acknowledgement is written
		open := len(w.sockets.all())
		b.ReportMetric(float64(inUse()-before)/float64(open), "B/socket")
		b.ReportMetric(float64(open), "sockets")
		_ = stdin.Close()
		_ = cmd.Wait()
		require.Eventually(b, func() bool { return len(w.sockets.all()) == 0 }, 10*time.Second, time.Millisecond)
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
