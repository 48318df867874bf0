package model

import (
	"stackforge/repo/document"
	"stackforge/repo/user"
)

// Document is a document with what was loaded beside it. Author is set whenever the operation asks for it.
type Document struct {
	document.Document
	Author user.User
}
