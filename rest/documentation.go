package rest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed assets
var pages embed.FS

// pagePolicy is for the page of the documentation only: it loads its own files and asks this server. Swagger UI places its
// parts by inline styles and has its icons in data addresses.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// documentation adds the OpenAPI document and the page that shows it. It is called last.
func (a *API) documentation() {
	op := operation("Operations", http.MethodGet, "/documentation/json", "openapi", "Read this document", http.StatusOK)
	op.Description = "The same as YAML is at /documentation/yaml, and a page to read and try it at /documentation/."
	answers(&op, "application/json", &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true})
	a.describe(op)

	doc := a.huma.OpenAPI()
	for _, unused := range []string{"ErrorModel", "ErrorDetail"} { // huma's own form, which no answer has here
		delete(doc.Components.Schemas.Map(), unused)
	}
	used := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			for _, r := range op.Responses {
				used[path.Base(r.Ref)] = true
			}
		}
	}
	maps.DeleteFunc(doc.Components.Responses, func(name string, _ *huma.Response) bool { return !used[name] })
	asJSON, err := doc.MarshalJSON()
	must(err)
	asYAML, err := doc.YAML()
	must(err)
	var pretty bytes.Buffer
	must(json.Indent(&pretty, asJSON, "", "  "))
	a.file("/documentation/json", "application/json; charset=utf-8", pretty.Bytes())
	a.file("/documentation/yaml", "application/yaml; charset=utf-8", asYAML)
	a.page("/documentation/{$}", "index.html")
	a.page("/documentation/start.js", "start.js")
	for _, name := range []string{"favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"} {
		a.asset(name)
	}
	a.mux.Handle("GET /documentation", http.RedirectHandler("/documentation/", http.StatusMovedPermanently))
}

func must(err error) {
	if err != nil {
		panic(err) // what was built in is always whole
	}
}

// page serves a file of ours.
func (a *API) page(at, name string) {
	text, err := pages.ReadFile("assets/" + name)
	must(err)
	a.file(at, mime.TypeByExtension(path.Ext(name)), text)
}

// asset serves a file of Swagger UI, which has been compressed.
func (a *API) asset(name string) {
	text, err := static.FS.ReadFile(name)
	if err != nil {
		text, err = static.FS.ReadFile(name + ".gz")
		must(err)
		z, err := gzip.NewReader(bytes.NewReader(text))
		must(err)
		text, err = io.ReadAll(z)
		must(err)
	}
	a.file("/documentation/"+name, mime.TypeByExtension(path.Ext(name)), text)
}

// file serves a text that never changes while the program runs, compressed where the client takes it and it helps.
func (a *API) file(at, contentType string, text []byte) {
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(text)
	must(err)
	must(z.Close())
	a.mux.Handle("GET "+at, a.public(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "no-cache") // asked again each time, by the tag
		h.Set("Vary", "Accept-Encoding")
		h.Set("Etag", tag)
		body := text
		if packed.Len() < len(text) && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			h.Set("Etag", strings.TrimSuffix(tag, `"`)+`-gzip"`)
			body = packed.Bytes()
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})))
}
