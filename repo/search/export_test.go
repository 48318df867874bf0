package search

import "encoding/json"

// What tests of this package look into.

// Mark is mark.
func Mark(marked string) Highlight { return mark(Body, marked) }

// ReadPlan is readPlan.
func ReadPlan(text json.RawMessage) (Step, error) { return readPlan("step", text) }

// Request is request.
func (p Params) Request() (json.RawMessage, error) { return p.request() }
