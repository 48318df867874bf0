// Package playground serves GraphiQL, the page in which people read, try and watch the GraphQL API, with every script,
// style and font embedded: it works without a connection to anything but this server.
//
// The page is built from web/ by `npm ci && npm run build` into assets/, which is committed, so that building the
// server needs Go only.
package playground

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed assets
var files embed.FS

// Options says where the page is and what it talks to. The zero value of each field is its default.
type Options struct {
	// Endpoint is the path of the GraphQL endpoint on this server. Default "/graphql".
	Endpoint string
	// Path is where the page is, without a slash at the end. Default "/playground".
	Path string
	// SubscriptionEndpoint is the path of the graphql-transport-ws endpoint on this server, or a ws: or wss: address.
	// Default "/graphql".
	SubscriptionEndpoint string
	// Title is shown on the page and by the browser. Default "Stackforge".
	Title string
}

func (o Options) withDefaults() Options {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&o.Endpoint, "/graphql")
	set(&o.Path, "/playground")
	set(&o.SubscriptionEndpoint, "/graphql")
	set(&o.Title, "Stackforge")
	o.Path = strings.TrimSuffix(o.Path, "/")
	return o
}

// contentSecurityPolicy is for these pages only. Nothing is loaded from another host and no inline script runs, so text
// of the API that is shown on the page cannot become a program. Inline styles are how the editor places its lines. The
// socket may be on another port or host than the page, hence ws: and wss:.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"font-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type handler struct {
	assets map[string]*asset // by name below Path + "/assets/"
	page   *asset
	path   string
}

// New returns the handler of the page and its assets. Mount it at Options.Path and at everything below; at "/" it
// serves the page too. It answers GET and HEAD, 405 to other methods and 404 to other paths. It needs no credentials:
// the key that is typed into the page stays in the browser.
func New(options Options) http.Handler {
	options = options.withDefaults()
	h := &handler{assets: map[string]*asset{}, path: options.Path}
	entries, err := files.ReadDir("assets")
	must(err)
	for _, entry := range entries {
		content, err := files.ReadFile("assets/" + entry.Name())
		must(err)
		switch entry.Name() {
		case "index.html":
			h.page = newAsset("index.html", render(string(content), options))
		case "manifest.json": // only for the tests
		default:
			h.assets[entry.Name()] = newAsset(entry.Name(), content)
		}
	}
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found := h.find(r.URL.Path)
	if found == nil {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	found.serve(w, r)
}

func (h *handler) find(path string) *asset {
	if name, ok := strings.CutPrefix(path, h.path+"/assets/"); ok {
		return h.assets[name]
	}
	if path == "/" || strings.TrimSuffix(path, "/") == h.path {
		return h.page
	}
	return nil
}

// render fills in the page. The options end in text and attributes, escaped for where they stand, never in a script.
func render(page string, options Options) []byte {
	parsed, err := template.New("index.html").Parse(page)
	must(err)
	var out bytes.Buffer
	must(parsed.Execute(&out, struct {
		Options
		Assets string
	}{options, options.Path + "/assets/"}))
	return out.Bytes()
}

// must panics, because what is embedded was checked by the tests: an error here is a broken build.
func must(err error) {
	if err != nil {
		panic("playground: embedded assets: " + err.Error())
	}
}
