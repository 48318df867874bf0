package storage

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// An upload to a bucket holds at most two parts in memory: one is read while the other is sent. An object of less than a part takes
// what it has, rounded up to chunks. 10,000 parts, the most of an object, are more than a file may have.
const (
	chunkSize = 256 << 10
	partSize  = 20 * chunkSize // 5 MiB, the least that a service takes
)

// abortTime is how long a failed upload may take to remove its parts.
const abortTime = 10 * time.Second

type chunk [chunkSize]byte

// part is a piece of an object on its way to a bucket. It can be read again, so that a request can be repeated.
type part struct {
	pool     *sync.Pool
	chunks   []*chunk
	size, at int64
}

// Read reads on.
func (p *part) Read(b []byte) (int, error) {
	if p.at >= p.size {
		return 0, io.EOF
	}
	from := p.at % chunkSize
	n := copy(b, p.chunks[p.at/chunkSize][from:min(chunkSize, from+p.size-p.at)])
	p.at += int64(n)
	return n, nil
}

// Seek moves the place of the next Read.
func (p *part) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += p.size
	}
	if offset < 0 {
		return 0, errors.New("storage: a place before the start")
	}
	p.at = offset
	return offset, nil
}

// free gives the memory to the next part.
func (p *part) free() {
	for _, c := range p.chunks {
		p.pool.Put(c)
	}
	p.chunks, p.size = nil, 0
}

// fill reads the next part. It is io.EOF, and the part the last one, when the reader has ended.
func (s *Store) fill(r io.Reader) (*part, error) {
	p := &part{pool: &s.chunks}
	for p.size < partSize {
		c, ok := s.chunks.Get().(*chunk)
		if !ok {
			c = new(chunk)
		}
		p.chunks = append(p.chunks, c)
		for n := 0; n < chunkSize; {
			m, err := r.Read(c[n:])
			n += m
			p.size += int64(m)
			if err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// upload writes an object of a bucket: in one request when it is less than a part.
func (s *Store) upload(ctx context.Context, key string, o Object, r io.Reader) error {
	first, err := s.fill(r)
	if errors.Is(err, io.EOF) {
		defer first.free()
		_, err = s.s3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.name, Key: &key, Body: first, ContentLength: &first.size, ContentType: optional(o.ContentType), ContentDisposition: optional(o.ContentDisposition),
		}, unsigned)
		return err
	}
	if err != nil {
		first.free()
		return err
	}
	made, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.name, Key: &key, ContentType: optional(o.ContentType), ContentDisposition: optional(o.ContentDisposition),
	})
	if err != nil {
		first.free()
		return err
	}
	u := &multipart{Store: s, key: &key, id: made.UploadId}
	if err = u.send(ctx, first, r); err == nil {
		_, err = s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &s.name, Key: &key, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
		})
	}
	if err != nil {
		u.abort(ctx)
	}
	return err
}

// multipart is an upload in parts.
type multipart struct {
	*Store

	key, id *string
	parts   []types.CompletedPart
}

// send sends the parts one by one, and reads the next one meanwhile.
func (u *multipart) send(ctx context.Context, p *part, r io.Reader) error {
	sent := make(chan error, 1)
	for last := false; ; {
		go func() { sent <- u.put(ctx, p) }()
		var next *part
		var err error
		if !last {
			next, err = u.fill(r)
		}
		failed := <-sent
		p.free()
		switch {
		case last:
			return failed
		case errors.Is(err, io.EOF):
			last, err = true, nil
		}
		if err = errors.Join(failed, err); err != nil || next.size == 0 {
			next.free()
			return err
		}
		p = next
	}
}

// put sends the next part.
func (u *multipart) put(ctx context.Context, p *part) error {
	number := aws.Int32(int32(len(u.parts) + 1)) //nolint:gosec // there are few
	out, err := u.s3.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.name, Key: u.key, UploadId: u.id, PartNumber: number, Body: p, ContentLength: &p.size,
	}, unsigned)
	if err == nil {
		u.parts = append(u.parts, types.CompletedPart{ETag: out.ETag, PartNumber: number})
	}
	return err
}

// abort removes the parts, also when the caller has gone. What it cannot remove is left to AbortUploads.
func (u *multipart) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	_, _ = u.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.name, Key: u.key, UploadId: u.id})
}

// unsigned leaves the bytes out of a request's signature, as TLS guards them: hashing them would take most of the time of an upload, and
// the record of a file has a hash of its own.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}

// optional is nil for "".
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
