package transport

import (
	"sync"
	"sync/atomic"
)

// cache keeps prepared documents by their text, bounded by number and by estimated memory. It evicts by SIEVE: a hit
// only sets a mark, so that readers share the lock; one-off documents leave before those that are used again.
type cache struct {
	entries int
	bytes   int

	mu   sync.RWMutex
	byID map[string]*entry
	head *entry // newest
	tail *entry // oldest
	hand *entry // where the next eviction begins to look; nil is the tail
	size int
}

type entry struct {
	text       string
	doc        *document
	newer      *entry
	older      *entry
	usedLately atomic.Bool
}

func newCache(entries, bytes int) *cache {
	return &cache{entries: entries, bytes: bytes, byID: make(map[string]*entry)}
}

func (c *cache) get(text string) *document {
	c.mu.RLock()
	e := c.byID[text]
	c.mu.RUnlock()
	if e == nil {
		return nil
	}
	if !e.usedLately.Load() {
		e.usedLately.Store(true)
	}
	return e.doc
}

func (c *cache) add(text string, doc *document) {
	if doc.size > c.bytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[text] != nil {
		return
	}
	for len(c.byID) >= c.entries || c.size+doc.size > c.bytes {
		c.evict()
	}
	e := &entry{text: text, doc: doc, older: c.head}
	if c.head != nil {
		c.head.newer = e
	}
	c.head = e
	if c.tail == nil {
		c.tail = e
	}
	c.byID[text] = e
	c.size += doc.size
}

// evict removes the first entry without a mark, from old to new, and clears the marks it passes.
func (c *cache) evict() {
	e := c.hand
	if e == nil {
		e = c.tail
	}
	for e.usedLately.Load() {
		e.usedLately.Store(false)
		if e = e.newer; e == nil {
			e = c.tail
		}
	}
	c.hand = e.newer
	c.remove(e)
}

func (c *cache) remove(e *entry) {
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		c.head = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		c.tail = e.newer
	}
	delete(c.byID, e.text)
	c.size -= e.doc.size
}
