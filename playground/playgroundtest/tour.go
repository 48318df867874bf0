package playgroundtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What the tour looks at. Classes without "playground" in front are GraphiQL's.
const (
	keyField      = "#api-key"
	keyStatus     = "#api-key-status"
	executeButton = ".graphiql-execute-button"
	responsePane  = ".graphiql-response .CodeMirror-code"
)

// enqueueAgain is how long the tour waits for an event before it asks for another job: the server may not have been
// listening yet when the first one was enqueued.
const enqueueAgain = 3 * time.Second

// clickPatience is how long a click may take to show an effect.
const clickPatience = 2 * time.Second

// Tour is what a person does first in the playground of a running server.
type Tour struct {
	// APIKey is typed into the key field. It must be good for reading documents and watching jobs.
	APIKey string
	// BaseURL is the address of the server without a path; the page is at BaseURL/playground.
	BaseURL string
	// Enqueue makes something happen to a job of the key's tenant. It is called until an event is seen, so perhaps
	// more than once.
	Enqueue func()
	// Screenshots is a folder for pictures of the steps; "" takes none.
	Screenshots string
}

// Run takes the tour without screenshots: see Tour.
func Run(tb testing.TB, baseURL, apiKey string, enqueue func()) {
	tb.Helper()
	Tour{BaseURL: baseURL, APIKey: apiKey, Enqueue: enqueue}.Run(tb)
}

// Run opens the page, types the key, runs the Documents example until it shows data, then the WatchJobs example until
// it shows an event of a job that Enqueue caused. It fails when the page does, and when it talks to another server.
func (t Tour) Run(tb testing.TB) {
	tb.Helper()
	p := Start(tb).Open(tb, t.BaseURL, 1400, 900)
	p.Visit("/playground")
	p.TypeKey(t.APIKey)
	p.WaitText(keyStatus, "Key accepted")

	p.OpenTab("Documents")
	p.Execute()
	p.waitData("documents")
	p.Screenshot(t.Screenshots, "playground-documents")

	p.OpenTab("WatchJobs")
	p.Execute()
	p.WaitFor("the subscription to be sent",
		func() string { return fmt.Sprint(p.Sent(`"subscribe"`)) },
		func(text string) bool { return text == "true" })
	p.waitEvent(t.Enqueue)
	p.Screenshot(t.Screenshots, "playground-jobs")
	p.Execute() // the same button stops it
	p.NoProblems()
}

// TypeKey puts a key into the field, in place of what is there, and presses Enter.
func (p *Page) TypeKey(key string) {
	p.tb.Helper()
	p.Do(
		chromedp.WaitVisible(keyField, chromedp.ByQuery),
		chromedp.Focus(keyField, chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelector("`+keyField+`").select()`, nil),
		chromedp.KeyEvent(kb.Delete),
		chromedp.SendKeys(keyField, key+kb.Enter, chromedp.ByQuery),
	)
}

// settle waits until the server has said what it thinks of the key: until then the page may still move.
func (p *Page) settle() {
	p.tb.Helper()
	p.WaitFor("an answer about the key",
		func() string { return p.Text(keyStatus) },
		func(text string) bool { return text != "" && !strings.HasSuffix(text, "…") })
}

// OpenTab shows the tab with that title.
func (p *Page) OpenTab(title string) {
	p.tb.Helper()
	p.settle()
	button := fmt.Sprintf(`//button[contains(@class, "graphiql-tab-button")][text()=%q]`, title)
	const clicks = 5 // tabs move when a font arrives, and a click then goes to a neighbour
	for range clicks {
		p.Do(chromedp.Click(button, chromedp.BySearch))
		read := func() string { return p.Text(".graphiql-tab-active") }
		if _, isOpen := p.poll(clickPatience, read, func(text string) bool { return strings.Contains(text, title) }); isOpen {
			return
		}
	}
	p.tb.Fatalf("the tab %s does not open", title)
}

// Execute presses the button that runs the operation of the tab, or stops it when it is running.
func (p *Page) Execute() {
	p.tb.Helper()
	p.settle()
	p.Do(chromedp.Click(executeButton, chromedp.ByQuery))
}

// Response returns the visible part of the response pane.
func (p *Page) Response() string {
	p.tb.Helper()
	return p.Text(responsePane)
}

// waitData waits for a response with data for the field, and fails at once on one with errors.
func (p *Page) waitData(field string) {
	p.tb.Helper()
	text := p.WaitFor("a response with data", p.Response, func(text string) bool {
		return strings.Contains(text, `"data"`) || strings.Contains(text, `"errors"`)
	})
	if strings.Contains(text, `"errors"`) || !strings.Contains(text, `"`+field+`"`) {
		p.tb.Fatalf("no data for %s: %s", field, text)
	}
}

// waitEvent causes events until one is seen.
func (p *Page) waitEvent(cause func()) {
	p.tb.Helper()
	const attempts = 6
	var text string
	for range attempts {
		cause()
		var isSeen bool
		text, isSeen = p.poll(enqueueAgain, p.Response, func(text string) bool {
			return strings.Contains(text, `"jobId"`) || strings.Contains(text, `"errors"`)
		})
		if strings.Contains(text, `"errors"`) {
			p.tb.Fatalf("the subscription failed: %s", text)
		}
		if isSeen {
			return
		}
	}
	p.tb.Fatalf("no event of a job was seen; last: %s", text)
}
