package resolvers

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vikstrous/dataloadgen"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/repo/document"
	"stackforge/repo/file"
	"stackforge/repo/job"
	"stackforge/repo/message"
	"stackforge/repo/user"
	"stackforge/repo/webhook"
)

// loaders batch what is reached through lists: one statement per type and level. They live for one operation, or one event
// of a subscription, and are made when they are first asked for. The repositories add the tenant to every statement.
type loaders struct {
	deps *Deps
	once sync.Mutex
	user *dataloadgen.Loader[uuid.UUID, user.User]
	doc  *dataloadgen.Loader[uuid.UUID, document.Document]
	file *dataloadgen.Loader[uuid.UUID, file.File]
	job  *dataloadgen.Loader[int64, job.Job]
	hook *dataloadgen.Loader[uuid.UUID, webhook.Endpoint]
	msgs *dataloadgen.Loader[string, message.Metrics]
}

// gather is how long a loader waits for more keys. Lists that know what will be asked for prime their loader and wait for nothing.
const gather = 500 * time.Microsecond

type loadersKey struct{}

// WithLoaders returns a context with fresh loaders.
func (r *Resolver) WithLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, &loaders{deps: &r.Deps})
}

func loadersOf(ctx context.Context) *loaders {
	l, ok := ctx.Value(loadersKey{}).(*loaders)
	if !ok {
		panic("resolvers: the operation has no loaders")
	}
	return l
}

func (l *loaders) users() *dataloadgen.Loader[uuid.UUID, user.User] {
	l.once.Lock()
	defer l.once.Unlock()
	if l.user == nil {
		l.user = newLoader("user", l.deps.Users.ByIDs, func(u user.User) uuid.UUID { return u.ID })
	}
	return l.user
}

func (l *loaders) documents() *dataloadgen.Loader[uuid.UUID, document.Document] {
	l.once.Lock()
	defer l.once.Unlock()
	if l.doc == nil {
		l.doc = newLoader("document", l.deps.Documents.ByIDs, func(d document.Document) uuid.UUID { return d.ID })
	}
	return l.doc
}

func (l *loaders) files() *dataloadgen.Loader[uuid.UUID, file.File] {
	l.once.Lock()
	defer l.once.Unlock()
	if l.file == nil {
		l.file = newLoader("file", l.deps.FileRecords.ByIDs, func(f file.File) uuid.UUID { return f.ID })
	}
	return l.file
}

func (l *loaders) jobs() *dataloadgen.Loader[int64, job.Job] {
	l.once.Lock()
	defer l.once.Unlock()
	if l.job == nil {
		l.job = newLoader("job", l.deps.Jobs.ByIDs, func(j job.Job) int64 { return j.ID })
	}
	return l.job
}

func (l *loaders) webhooks() *dataloadgen.Loader[uuid.UUID, webhook.Endpoint] {
	l.once.Lock()
	defer l.once.Unlock()
	if l.hook == nil {
		l.hook = newLoader("endpoint", l.deps.Webhooks.ByIDs, func(e webhook.Endpoint) uuid.UUID { return e.ID })
	}
	return l.hook
}

func (l *loaders) messageMetrics() *dataloadgen.Loader[string, message.Metrics] {
	l.once.Lock()
	defer l.once.Unlock()
	if l.msgs == nil {
		l.msgs = newLoader("queue", l.deps.Messages.QueueMetrics, func(m message.Metrics) string { return m.Name })
	}
	return l.msgs
}

func newLoader[K comparable, V any](noun string, byIDs func(context.Context, []K) ([]V, error), key func(V) K) *dataloadgen.Loader[K, V] {
	fetch := func(ctx context.Context, keys []K) ([]V, []error) {
		out, failed := make([]V, len(keys)), make([]error, len(keys))
		list, err := byIDs(ctx, keys)
		at := make(map[K]V, len(list))
		for _, v := range list {
			at[key(v)] = v
		}
		for i, k := range keys {
			v, ok := at[k]
			switch {
			case err != nil:
				failed[i] = err
			case !ok:
				failed[i] = errs.Newf(errs.NotFound, "There is no such %s.", noun)
			default:
				out[i] = v
			}
		}
		return out, failed
	}
	return dataloadgen.NewLoader(fetch, dataloadgen.WithWait(gather), dataloadgen.WithBatchCapacity(1000))
}

// shape makes documents of the schema, with their authors when the operation asks for them somewhere below this field:
// one statement for all of them.
func (r *Resolver) shape(ctx context.Context, docs []document.Document) ([]model.Document, error) {
	out := make([]model.Document, len(docs))
	for i := range docs {
		out[i].Document = docs[i]
	}
	if len(docs) == 0 || !selects(ctx, "author") {
		return out, nil
	}
	authors := make(map[uuid.UUID]user.User, len(docs))
	ids := make([]uuid.UUID, 0, len(docs))
	for i := range docs {
		if _, seen := authors[docs[i].AuthorID]; !seen {
			authors[docs[i].AuthorID] = user.User{}
			ids = append(ids, docs[i].AuthorID)
		}
	}
	list, err := r.Users.ByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, u := range list {
		authors[u.ID] = u
	}
	for i := range out {
		out[i].Author = authors[out[i].AuthorID]
	}
	return out, nil
}

// shapeOne is shape for one document.
func (r *Resolver) shapeOne(ctx context.Context, d document.Document, err error) (model.Document, error) {
	if err != nil {
		return model.Document{}, err
	}
	list, err := r.shape(ctx, []document.Document{d})
	if err != nil {
		return model.Document{}, err
	}
	return list[0], nil
}

// levels is how deep a document can be below the root field: edges, node, document, author.
const levels = 4

// selects reports whether the current field's selection has a field of this name, at most levels down.
func selects(ctx context.Context, name string) bool {
	op := graphql.GetOperationContext(ctx)
	return selected(op, graphql.CollectFieldsCtx(ctx, nil), name, levels)
}

func selected(op *graphql.OperationContext, fields []graphql.CollectedField, name string, levels int) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
		if levels > 1 && len(fields[i].Selections) > 0 && selected(op, graphql.CollectFields(op, fields[i].Selections, nil), name, levels-1) {
			return true
		}
	}
	return false
}
