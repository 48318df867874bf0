// Package model is the types of the schema that have no home in a repository; models_gen.go is generated.
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
