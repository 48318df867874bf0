package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"stackforge/storage"
	"stackforge/storage/storagetest"
)

// fileMemoryBar is by how much the server may grow while a file goes through it.
const fileMemoryBar = 32 << 20

// transfer is one direction of one store: ours, and the same bytes without us.
type transfer struct {
	what, peerName string
	ours, peer     func(ctx context.Context) error
}

// filesPart sends a large file through the server into a folder and into a bucket (versitygw, in a process of its own) and back,
// beside a plain copy to the same disk and beside signed requests straight to the bucket. Memory is the server's resident peak of
// each transfer above what it had before the first.
func (b *bench) filesPart(ctx context.Context) error {
	d, err := b.database(ctx, "bench_files")
	if err != nil {
		return err
	}
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var uploader string
	if err := c.QueryRow(ctx, `INSERT INTO app_users (tenant_id, email) VALUES ($1, 'user@example.com') RETURNING id::text`, d.tenant).Scan(&uploader); err != nil {
		return err
	}
	f := &fileBench{bench: b, dataset: d, uploader: uploader, size: int64(b.file) << 20}
	if err := f.folder(ctx); err != nil {
		return err
	}
	return f.bucket(ctx)
}

type fileBench struct {
	*bench
	*dataset

	uploader string
	size     int64
	server   *server
	id       string // of the uploaded file
}

// body is what is sent: bytes that cannot be compressed, a MiB of them again and again.
func (f *fileBench) body() io.Reader {
	random := rand.NewChaCha8([32]byte{1})
	block := make([]byte, 1<<20)
	_, _ = random.Read(block) // never fails
	return &repeated{block: block, left: f.size}
}

type repeated struct {
	block []byte
	at    int
	left  int64
}

// Read reads on.
func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	r.left -= int64(n)
	return n, nil
}

func (f *fileBench) folder(ctx context.Context) error {
	dir := filepath.Join(f.dir, "objects")
	plain := filepath.Join(f.dir, "plain")
	defer os.Remove(plain)
	return f.run(ctx, []string{"STORAGE_DIR=" + dir},
		transfer{what: "into a folder", peerName: "io.Copy to the disk, and fsync", ours: f.upload, peer: func(context.Context) error {
			out, err := os.Create(filepath.Clean(plain))
			if err != nil {
				return err
			}
			_, err = io.Copy(out, f.body())
			return errors.Join(err, out.Sync(), out.Close())
		}},
		transfer{what: "out of a folder", peerName: "io.Copy from the disk", ours: f.download, peer: func(context.Context) error {
			in, err := os.Open(filepath.Clean(plain))
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, struct{ io.Reader }{in})
			return errors.Join(err, in.Close())
		}})
}

func (f *fileBench) bucket(ctx context.Context) error {
	at, stop, err := f.gateway(ctx)
	if err != nil {
		return err
	}
	defer stop()
	store, err := storage.OpenS3(ctx, at)
	if err != nil {
		return err
	}
	defer store.Close()
	const key, lifetime = "plain", time.Hour
	put, _, err := store.SignPut(ctx, key, f.size, lifetime)
	if err != nil {
		return err
	}
	get, err := store.SignGet(ctx, key, storage.Object{}, lifetime)
	if err != nil {
		return err
	}
	env := []string{
		"STORAGE_ENDPOINT=" + at.Endpoint, "STORAGE_ACCESS_KEY_ID=" + at.AccessKeyID, "STORAGE_SECRET_ACCESS_KEY=" + at.SecretAccessKey,
		"STORAGE_BUCKET=" + at.Bucket, "STORAGE_REGION=" + at.Region,
	}
	return f.run(ctx, env,
		transfer{what: "into a bucket", peerName: "one signed PUT to it", ours: f.upload, peer: func(ctx context.Context) error {
			return f.send(ctx, http.MethodPut, put, "", f.body(), io.Discard)
		}},
		transfer{what: "out of a bucket", peerName: "one signed GET of it", ours: f.download, peer: func(ctx context.Context) error {
			return f.send(ctx, http.MethodGet, get, "", nil, io.Discard)
		}})
}

// gateway starts a server of the S3 protocol with one bucket.
func (f *fileBench) gateway(ctx context.Context) (storage.S3, func(), error) {
	at := storage.S3{AccessKeyID: "bench", SecretAccessKey: "bench-secret", Bucket: "files", Region: "auto"}
	program, err := storagetest.Program(ctx)
	if err != nil {
		return at, nil, err
	}
	data, meta := filepath.Join(f.dir, "s3", "data"), filepath.Join(f.dir, "s3", "meta")
	for _, dir := range []string{filepath.Join(data, at.Bucket), meta} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // of a bench
			return at, nil, err
		}
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return at, nil, err
	}
	at.Endpoint = "http://" + addr
	p, err := f.start(ctx, "versitygw", program, nil, "--quiet", "--access", at.AccessKeyID, "--secret", at.SecretAccessKey, "--region", at.Region,
		"--port", addr, "--keep-alive", "posix", "--sidecar", meta, data)
	if err != nil {
		return at, nil, err
	}
	return at, p.stop, p.answers(ctx, addr)
}

// run measures the transfers of one store, each beside its peer.
func (f *fileBench) run(ctx context.Context, env []string, transfers ...transfer) error {
	s, err := f.serve(ctx, "files", f.url, append(env, "MAX_UPLOAD_BYTES="+strconv.FormatInt(f.size, 10))...)
	if err != nil {
		return err
	}
	defer s.stop()
	f.server = s
	size := f.size
	f.size = 1 << 20 // what any server has in memory after its first file
	if err := errors.Join(f.upload(ctx), f.download(ctx), f.remove(ctx)); err != nil {
		return err
	}
	f.size = size
	before, err := rss(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	for _, t := range transfers {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0); err != nil { // the peak starts anew
			return err
		}
		ours, err := timed(ctx, t.ours)
		if err != nil {
			return fmt.Errorf("%s: %w", t.what, err)
		}
		peak, err := procStatus(s.cmd.Process.Pid, "VmHWM:")
		if err != nil {
			return err
		}
		peer, err := timed(ctx, t.peer)
		if err != nil {
			return fmt.Errorf("%s: %w", t.peerName, err)
		}
		f.report.ratio("files", fmt.Sprintf("%d MiB %s", f.file, t.what), f.rate(ours), t.peerName+": "+f.rate(peer), float64(peer)/float64(ours), 0)
		grown := max(0, peak-before)
		f.report.bound("files", "memory of the server, the same", fmt.Sprintf("%.1f MiB more", float64(grown)/(1<<20)), "before: "+mib(before), "", "< 32 MiB", grown < fileMemoryBar)
	}
	return f.remove(ctx)
}

func (f *fileBench) rate(d time.Duration) string {
	return fmt.Sprintf("%.0f MB/s", float64(f.size)/1e6/d.Seconds())
}

func timed(ctx context.Context, fn func(ctx context.Context) error) (time.Duration, error) {
	begin := time.Now()
	err := fn(ctx)
	return time.Since(begin), err
}

// upload sends a form, as a browser would.
func (f *fileBench) upload(ctx context.Context) error {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		part, err := form.CreateFormFile("file", "large.bin")
		if err == nil {
			_, err = io.Copy(part, f.body())
		}
		if err == nil {
			err = form.WriteField("uploaderId", f.uploader)
		}
		_ = w.CloseWithError(errors.Join(err, form.Close()))
	}()
	var answer strings.Builder
	if err := f.send(ctx, http.MethodPost, "http://"+f.server.addr+"/files", form.FormDataContentType(), r, &answer); err != nil {
		return err
	}
	var made struct {
		ID        string `json:"id"`
		SizeBytes int64  `json:"sizeBytes"`
	}
	if err := json.Unmarshal([]byte(answer.String()), &made); err != nil {
		return err
	}
	if f.id = made.ID; made.SizeBytes != f.size {
		return fmt.Errorf("%d bytes arrived of %d", made.SizeBytes, f.size)
	}
	return nil
}

func (f *fileBench) download(ctx context.Context) error {
	return f.send(ctx, http.MethodGet, "http://"+f.server.addr+"/files/"+f.id+"/content", "", nil, io.Discard)
}

func (f *fileBench) remove(ctx context.Context) error {
	return f.send(ctx, http.MethodDelete, "http://"+f.server.addr+"/files/"+f.id, "", nil, io.Discard)
}

// send makes a request and copies its answer; one that is not 2xx, or has not all bytes of a download, is an error.
func (f *fileBench) send(ctx context.Context, method, url, contentType string, body io.Reader, answer io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if method == http.MethodPut {
		req.ContentLength = f.size
	} else if strings.Contains(url, f.server.addr) {
		req.Header.Set("X-Api-Key", f.key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(answer, res.Body)
	if err == nil && !slices.Contains([]int{http.StatusOK, http.StatusCreated, http.StatusNoContent}, res.StatusCode) {
		err = errors.New(res.Status)
	}
	if err == nil && method == http.MethodGet && n != f.size {
		err = fmt.Errorf("%d bytes arrived of %d", n, f.size)
	}
	return err
}
