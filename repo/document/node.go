package document

import (
	"stackforge/hashid"
	"stackforge/nodeid"
)

// Kind names documents in global ids.
const Kind = "Document"

// NodeID returns the opaque, global id.
func (d Document) NodeID() string { return nodeid.Encode(Kind, d.ID.String()) }

// Hashid returns the short public form of the id, the same as encode_document_id in SQL.
func (d Document) Hashid() string { return hashid.Document(d.ID) }
