package playground

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// asset is one file in memory, plain and compressed.
type asset struct {
	name         string
	contentType  string
	cacheControl string
	etag         string // without quotes
	plain        []byte
	gzipped      func() []byte // nil when compressing does not help; compresses once, when first asked for
}

// newAsset prepares a file. Types are listed here because mime.TypeByExtension depends on the machine.
func newAsset(name string, content []byte) *asset {
	sum := sha256.Sum256(content)
	a := &asset{
		name:  name,
		etag:  hex.EncodeToString(sum[:12]),
		plain: content,
		// The build puts a hash of the content into the name, so a name never changes its content.
		cacheControl: "public, max-age=31536000, immutable",
	}
	switch path.Ext(name) {
	case ".html":
		a.contentType = "text/html; charset=utf-8"
		a.cacheControl = "no-cache"
	case ".txt":
		a.contentType = "text/plain; charset=utf-8"
		a.cacheControl = "no-cache"
	case ".css":
		a.contentType = "text/css; charset=utf-8"
	case ".js":
		a.contentType = "text/javascript; charset=utf-8"
	case ".svg":
		a.contentType = "image/svg+xml"
	case ".woff2":
		a.contentType = "font/woff2"
		return a
	default:
		a.contentType = "application/octet-stream"
	}
	a.gzipped = sync.OnceValue(func() []byte { return compress(content) })
	return a
}

func compress(content []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	must(err)
	_, err = w.Write(content)
	must(err)
	must(w.Close())
	return out.Bytes()
}

// serve writes the file, or 304 when the client has it.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", a.cacheControl)
	header.Set("Content-Type", a.contentType)
	content, etag := a.plain, a.etag
	if a.gzipped != nil {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			content, etag = a.gzipped(), a.etag+"-gz"
			header.Set("Content-Encoding", "gzip")
		}
	}
	header.Set("ETag", strconv.Quote(etag))
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reads an Accept-Encoding header: gzip, or else *, with a quality that is not zero.
func acceptsGzip(header string) bool {
	accepts := false
	for part := range strings.SplitSeq(header, ",") {
		coding, parameter, _ := strings.Cut(part, ";")
		value, hasQuality := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q=")
		quality, err := strconv.ParseFloat(value, 64)
		isWanted := !hasQuality || (err == nil && quality > 0)
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip":
			return isWanted
		case "*":
			accepts = isWanted
		}
	}
	return accepts
}
