package rest

import (
	"context"
	"encoding/json"

	"stackforge/repo/idempotency"
)

// Once is the input of operations that can be repeated under a key.
type Once struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 visible ASCII characters. The same request with the same key within 7 days is done once, and answered as then; another request with it is a conflict." example:"order-4711"`
}

func (o *Once) key() string { return o.IdempotencyKey }

// keyed is an input that has a Once.
type keyed interface{ key() string }

// once runs an operation, and under a key once.
func once[I, O any](ctx context.Context, a *API, name string, in *I, fn func(context.Context, *I) (*O, error)) (*O, error) {
	k, ok := any(in).(keyed)
	if !ok || k.key() == "" {
		return fn(ctx, in)
	}
	request, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	var out *O
	kept, replayed, err := a.Idempotency.Once(ctx, k.key(), idempotency.Hash(ctx, []byte("rest"), []byte(name), request), func(ctx context.Context) ([]byte, error) {
		var err error
		if out, err = fn(ctx, in); err != nil {
			return nil, err
		}
		return json.Marshal(out)
	})
	switch {
	case err != nil:
		if e, ok := errorsField(err); ok && e.Field == "idempotencyKey" {
			e.Field = "Idempotency-Key"
		}
		return nil, err
	case replayed:
		out = new(O)
		return out, json.Unmarshal(kept, out)
	}
	return out, nil
}
