package search

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Document is what is read of a document: the same fields as document.Document, which this package may not know. The door
// converts one into the other, so the compiler sees to it that they stay the same.
type Document struct {
	ID             uuid.UUID
	TenantID       uuid.UUID
	AuthorID       uuid.UUID
	ExternalID     *string
	Title          string
	Body           string
	Language       string
	Metadata       json.RawMessage // an object of strings
	Path           *string
	TagIDs         []int32
	Longitude      *float64
	Latitude       *float64
	EmbeddingModel *string
	Version        int
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Author is the user who wrote a document, as document.Author.
type Author struct {
	ID        uuid.UUID
	TenantID  uuid.UUID
	Email     string
	CreatedAt time.Time
}

// columns are what ScanRow reads of a document; a body may be long and stored apart, so it is read only when it is asked for.
func columns(bodies bool) string {
	body := "''"
	if bodies {
		body = "d.body"
	}
	return `d.id, d.tenant_id, d.author_id, d.external_id, d.title, ` + body + ` AS body, d.language, hstore_to_json(d.metadata) AS metadata,
		d.path_text AS path, d.tag_ids, d.longitude, d.latitude, d.embedding_model, d.version, d.created_at, d.updated_at`
}
