// Package playgroundtest drives the playground in a real browser, for tests of this page and for tests of a whole
// server that serves it. It needs Chromium or Chrome on the PATH.
package playgroundtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience is how long a test may use its browser, and stepPatience how long one step may take.
const (
	patience     = 2 * time.Minute
	stepPatience = 20 * time.Second
	pollInterval = 50 * time.Millisecond
)

// Browser is a running browser with a fresh profile.
type Browser struct{ ctx context.Context } //nolint:containedctx // a browser is a context in chromedp

// Start runs a headless browser until the test and its subtests end, or two minutes have passed. When no browser is
// installed the test is skipped, or fails if CI is set.
func Start(tb testing.TB) *Browser {
	tb.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findBrowser(tb)),
		chromedp.NoSandbox, // containers and root cannot have one, and the page is ours
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	ctx, stopWaiting := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(stopWaiting)
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options...)
	tb.Cleanup(stopBrowser) // waits for the process and removes its profile
	// A browser that is newer than the library sends events it does not know; these errors are noise.
	ctx, closeTab := chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	tb.Cleanup(closeTab)
	// The first Run starts the browser, which then lives as long as this context.
	if err := chromedp.Run(ctx); err != nil {
		tb.Fatalf("start the browser: %v", err)
	}
	return &Browser{ctx: ctx}
}

// Page is one tab, with storage of its own. Its methods fail the test when a step does not succeed in 20 seconds.
type Page struct {
	ctx  context.Context //nolint:containedctx // a tab is a context in chromedp
	tb   testing.TB
	base *url.URL

	mu       sync.Mutex
	problems []string
	sent     []string // text frames sent over WebSockets
}

// Open opens a blank tab of that size in pixels, for the time of the test. baseURL is the only server that the page may
// talk to; see NoProblems.
func (b *Browser) Open(tb testing.TB, baseURL string, width, height int64) *Page {
	tb.Helper()
	base, err := url.Parse(baseURL)
	if err != nil {
		tb.Fatalf("base address: %v", err)
	}
	id, err := b.newTab()
	if err != nil {
		tb.Fatalf("open a tab: %v", err)
	}
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	tb.Cleanup(closeTab)
	p := &Page{ctx: ctx, tb: tb, base: base}
	chromedp.ListenTarget(ctx, p.watch)
	// Not a step: the first Run attaches to the tab, and would let go of it with the context of the step.
	if err := chromedp.Run(ctx, network.Enable(), log.Enable(), chromedp.EmulateViewport(width, height)); err != nil {
		tb.Fatalf("open a tab: %v", err)
	}
	return p
}

// newTab opens a tab in a profile of its own. chromedp.WithNewBrowserContext does not ask for a window, without which
// current versions of Chromium refuse.
func (b *Browser) newTab() (target.ID, error) {
	ctx := cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)
	profile, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(ctx)
	if err != nil {
		return "", err
	}
	return target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
}

// findBrowser returns the path of a browser.
func findBrowser(tb testing.TB) string {
	tb.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing := "no browser on the PATH: looked for " + strings.Join(names, ", ")
	if os.Getenv("CI") != "" { //nolint:forbidigo // it decides about the test, not about the program
		tb.Fatal(missing)
	}
	tb.Skip(missing)
	return ""
}

// watch collects what must not happen, and what was sent over sockets.
func (p *Page) watch(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		p.checkAddress(event.Request.URL)
	case *network.EventWebSocketCreated:
		p.checkAddress(event.URL)
	case *network.EventWebSocketFrameSent:
		p.sent = append(p.sent, event.Response.PayloadData)
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, "exception: "+event.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if event.Entry.Source == log.SourceSecurity || strings.Contains(event.Entry.Text, "Content Security Policy") {
			p.problems = append(p.problems, "security: "+event.Entry.Text)
		}
	}
}

func (p *Page) checkAddress(address string) {
	asked, err := url.Parse(address)
	if err != nil {
		p.problems = append(p.problems, "address: "+err.Error())
		return
	}
	switch asked.Scheme {
	case "data", "blob", "about", "chrome":
		return
	}
	if asked.Host != p.base.Host {
		p.problems = append(p.problems, "request to another host: "+address)
	}
}

// NoProblems fails the test when a script threw, the content security policy was violated, or anything was asked of
// another host.
func (p *Page) NoProblems() {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.problems) > 0 {
		p.tb.Errorf("the page had problems:\n%s", strings.Join(p.problems, "\n"))
	}
}

// Do runs browser actions as one step.
func (p *Page) Do(actions ...chromedp.Action) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, stepPatience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.tb.Fatalf("browser: %v", err)
	}
}

// Visit opens a path of the server.
func (p *Page) Visit(path string) {
	p.tb.Helper()
	p.Do(chromedp.Navigate(p.base.String() + path))
}

// Eval returns the value of a JavaScript expression as text.
func (p *Page) Eval(expression string) string {
	p.tb.Helper()
	var value any
	p.Do(chromedp.Evaluate(expression, &value))
	return fmt.Sprint(value)
}

// Text returns the visible text of the first element that fits the CSS selector, "" when there is none.
func (p *Page) Text(selector string) string {
	p.tb.Helper()
	return p.Eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// WaitFor asks until done says yes, and fails the test, with the last text seen, when it does not in 20 seconds.
func (p *Page) WaitFor(what string, read func() string, done func(text string) bool) string {
	p.tb.Helper()
	text, ok := p.poll(stepPatience, read, done)
	if !ok {
		p.tb.Fatalf("%s: not seen within %s; last: %s", what, stepPatience, text)
	}
	return text
}

func (p *Page) poll(limit time.Duration, read func() string, done func(text string) bool) (string, bool) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		text := read()
		if done(text) {
			return text, true
		}
		select {
		case <-ctx.Done():
			return text, false
		case <-ticker.C:
		}
	}
}

// WaitText waits until the visible text of an element contains part.
func (p *Page) WaitText(selector, part string) string {
	p.tb.Helper()
	return p.WaitFor(fmt.Sprintf("%q in %s", part, selector),
		func() string { return p.Text(selector) },
		func(text string) bool { return strings.Contains(text, part) })
}

// Sent reports whether a text frame with that part was sent over a WebSocket.
func (p *Page) Sent(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, frame := range p.sent {
		if strings.Contains(frame, part) {
			return true
		}
	}
	return false
}

// Screenshot writes what the window shows to folder/name.png; nothing when folder is "".
func (p *Page) Screenshot(folder, name string) {
	p.tb.Helper()
	if folder == "" {
		return
	}
	var picture []byte
	p.Do(chromedp.CaptureScreenshot(&picture))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		p.tb.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
		p.tb.Fatalf("screenshot: %v", err)
	}
}
