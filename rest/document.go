package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/hashid"
	"stackforge/repo/document"
	"stackforge/scalar"
)

// Document is a document as REST shows it.
type Document struct {
	ID        uuid.UUID `json:"id" format:"uuid" doc:"The id." example:"00000000-0000-0000-0000-000000000101"`
	TenantID  uuid.UUID `json:"tenantId" format:"uuid" doc:"Whose document it is." example:"00000000-0000-0000-0000-000000000001"`
	AuthorID  uuid.UUID `json:"authorId" format:"uuid" doc:"The user who wrote it." example:"00000000-0000-0000-0000-000000000010"`
	Title     string    `json:"title" doc:"The title." example:"Introduction to PostgreSQL"`
	Body      string    `json:"body" doc:"The text." example:"PostgreSQL is a relational database."`
	Metadata  string    `json:"metadata" doc:"Keys and values as PostgreSQL prints an hstore; empty when there are none." example:"\"priority\"=>\"high\""`
	Path      *string   `json:"path" doc:"Dotted path in the tree of documents." example:"engineering.backend"`
	TagIDs    []int32   `json:"tagIds" nullable:"false" doc:"Numbers of its tags." example:"[1,5,12]"`
	Longitude *float64  `json:"longitude" doc:"Degrees east." example:"-122.4194"`
	Latitude  *float64  `json:"latitude" doc:"Degrees north." example:"37.7749"`
	CreatedAt moment    `json:"createdAt" doc:"When it was created."`
	UpdatedAt moment    `json:"updatedAt" doc:"When it was last changed."`
}

// DocumentFields are what a new document and a change have in common. Absent and null are the same.
type DocumentFields struct {
	Metadata  map[string]string `json:"metadata,omitempty" nullable:"true" doc:"A flat object of strings; a change replaces all of it." example:"{\"priority\":\"high\",\"tags\":\"database, postgres\"}"`
	Path      *string           `json:"path,omitempty" nullable:"true" doc:"Labels of letters, digits and underscores with dots between them." example:"engineering.backend"`
	TagIDs    []tag             `json:"tagIds,omitempty" nullable:"true" doc:"At most 1,000 whole numbers of 32 bits." example:"[1,5,12]"`
	Longitude *float64          `json:"longitude,omitempty" nullable:"true" doc:"Degrees east, -180 to 180; only together with latitude." example:"-122.4194"`
	Latitude  *float64          `json:"latitude,omitempty" nullable:"true" doc:"Degrees north, -90 to 90; only together with longitude." example:"37.7749"`
}

// NewDocument is a document to create.
type NewDocument struct {
	AuthorID string `json:"authorId" format:"uuid" doc:"A user of the tenant." example:"00000000-0000-0000-0000-000000000010"`
	Title    string `json:"title" doc:"1 to 500 characters." example:"Introduction to PostgreSQL"`
	Body     string `json:"body" doc:"The text." example:"PostgreSQL is a relational database."`
	DocumentFields
}

// DocumentChange is a change of a document: absent and null fields keep their value.
type DocumentChange struct {
	Title *string `json:"title,omitempty" nullable:"true" doc:"1 to 500 characters." example:"Introduction to PostgreSQL 18"`
	Body  *string `json:"body,omitempty" nullable:"true" doc:"The text." example:"PostgreSQL is a relational database."`
	DocumentFields
}

type documentID struct {
	ID string `path:"id" format:"uuid" doc:"The id, a uuid; the short public id is taken too." example:"00000000-0000-0000-0000-000000000101"`
}

type documentAnswer struct{ Body Document }

func (a *API) documents() {
	op := func(method, path, id, summary string, status int, failures ...int) huma.Operation {
		return operation("Documents", method, path, id, summary, status, failures...)
	}
	create := op(http.MethodPost, "/documents", "createDocument", "Create a document", http.StatusCreated, 400, 409, 413, 415)
	leads(&create, "id", "getDocument", "updateDocument", "deleteDocument")
	handle(a, "documents:write", create,
		func(ctx context.Context, in *struct {
			Once
			Body NewDocument
		},
		) (*documentAnswer, error) {
			fields := in.Body.input()
			fields["authorId"], fields["title"], fields["body"] = in.Body.AuthorID, in.Body.Title, in.Body.Body
			return documentOf(a.Documents.Create(ctx, fields))
		})
	handle(a, "documents:read", op(http.MethodGet, "/documents/{id}", "getDocument", "Read a document", http.StatusOK, 400, 404),
		func(ctx context.Context, in *documentID) (*documentAnswer, error) {
			id, err := in.parse()
			if err != nil {
				return nil, err
			}
			d, _, err := a.Documents.Get(ctx, id)
			return documentOf(d, err)
		})
	handle(a, "documents:write", op(http.MethodPut, "/documents/{id}", "updateDocument", "Change a document", http.StatusOK, 400, 404, 413, 415),
		func(ctx context.Context, in *struct {
			ID   string `path:"id" format:"uuid" doc:"The id, a uuid; the short public id is taken too." example:"00000000-0000-0000-0000-000000000101"`
			Body DocumentChange
		},
		) (*documentAnswer, error) {
			id, err := documentID{in.ID}.parse()
			if err != nil {
				return nil, err
			}
			return documentOf(a.Documents.Update(ctx, id, in.Body.input(), nil))
		})
	handle(a, "documents:write", op(http.MethodDelete, "/documents/{id}", "deleteDocument", "Delete a document", http.StatusNoContent, 400, 404),
		func(ctx context.Context, in *documentID) (*struct{}, error) {
			id, err := in.parse()
			if err != nil {
				return nil, err
			}
			return &struct{}{}, a.Documents.Delete(ctx, id)
		})
}

// parse reads the id: a uuid or a hashid.
func (d documentID) parse() (uuid.UUID, error) {
	if id, err := scalar.ParseUUID(d.ID); err == nil {
		return id, nil
	}
	if id, ok := hashid.ParseDocument(d.ID); ok {
		return id, nil
	}
	return uuid.Nil, errs.Field("id", "This is neither a uuid nor a hashid of a document.")
}

// input are the fields that were given.
func (f DocumentFields) input() document.Input {
	in := document.Input{}
	put(in, "path", f.Path)
	put(in, "longitude", f.Longitude)
	put(in, "latitude", f.Latitude)
	if f.Metadata != nil {
		in["metadata"] = f.Metadata
	}
	if f.TagIDs != nil {
		in["tagIds"] = f.TagIDs
	}
	return in
}

func (c DocumentChange) input() document.Input {
	in := c.DocumentFields.input()
	put(in, "title", c.Title)
	put(in, "body", c.Body)
	return in
}

func put[T any](in document.Input, name string, v *T) {
	if v != nil {
		in[name] = *v
	}
}

func documentOf(d document.Document, err error) (*documentAnswer, error) {
	if err != nil {
		return nil, err
	}
	tags := d.TagIDs
	if tags == nil {
		tags = []int32{}
	}
	metadata, err := hstore(d.Metadata)
	return &documentAnswer{Document{
		ID: d.ID, TenantID: d.TenantID, AuthorID: d.AuthorID, Title: d.Title, Body: d.Body, Metadata: metadata, Path: d.Path, TagIDs: tags,
		Longitude: d.Longitude, Latitude: d.Latitude, CreatedAt: moment{d.CreatedAt}, UpdatedAt: moment{d.UpdatedAt},
	}}, err
}

// hstore returns the text of an hstore from its JSON, whose keys are in the hstore's own order.
func hstore(object json.RawMessage) (string, error) {
	if len(object) <= len("{}") {
		return "", nil
	}
	d := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := d.Token(); err != nil { // the brace
		return "", err
	}
	var b strings.Builder
	for key := true; ; key = !key {
		t, err := d.Token()
		if err != nil {
			return "", err
		}
		switch v := t.(type) {
		case json.Delim: // the other brace
			return b.String(), nil
		case nil:
			b.WriteString("NULL")
		case string:
			if key && b.Len() > 0 {
				b.WriteString(", ")
			}
			quote(&b, v)
		}
		if key {
			b.WriteString("=>")
		}
	}
}

func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
}
