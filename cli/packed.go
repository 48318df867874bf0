package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// packedFile is a file that is being written, packed as its name says. It has its name only when it is whole.
type packedFile struct {
	io.Writer

	name   string
	file   *os.File  // nil for stdout
	packer io.Closer // nil when it is not packed
}

// createPacked begins a file; stdout takes the place of one without a name. A file that is there is an error.
func createPacked(name string, stdout io.Writer) (*packedFile, error) {
	if name == "" {
		return &packedFile{Writer: stdout}, nil
	}
	if _, err := os.Stat(name); err == nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: os.ErrExist}
	}
	f, err := os.OpenFile(filepath.Clean(name)+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	p := &packedFile{Writer: f, name: name, file: f}
	switch {
	case strings.HasSuffix(name, ".gz"):
		z := gzip.NewWriter(f)
		p.Writer, p.packer = z, z
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewWriter(f)
		if err != nil {
			return nil, p.done(err)
		}
		p.Writer, p.packer = z, z
	}
	return p, nil
}

// done ends the file, and removes it when err says that it is not whole.
func (p *packedFile) done(err error) error {
	if p.file == nil {
		return err
	}
	if p.packer != nil && err == nil {
		err = p.packer.Close()
	}
	if err == nil {
		err = p.file.Sync()
	}
	err = errors.Join(err, p.file.Close())
	if err != nil {
		_ = os.Remove(p.file.Name()) // it is of no use to anybody
		return err
	}
	return os.Rename(p.file.Name(), p.name)
}

// openPacked opens a file, or stdin for "-", and unpacks it when its first bytes say so.
func openPacked(name string, stdin io.Reader) (io.ReadCloser, error) {
	in := io.NopCloser(stdin)
	if name != "-" {
		f, err := os.Open(filepath.Clean(name))
		if err != nil {
			return nil, err
		}
		in = f
	}
	buffered := bufio.NewReaderSize(in, 1<<20)
	head, _ := buffered.Peek(4) // a short file is not packed
	var unpacked io.Reader = buffered
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, errors.Join(err, in.Close())
		}
		unpacked = z
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(buffered)
		if err != nil {
			return nil, errors.Join(err, in.Close())
		}
		unpacked = z.IOReadCloser()
	}
	return struct {
		io.Reader
		io.Closer
	}{unpacked, in}, nil
}
