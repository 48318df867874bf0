// Package migrations holds the SQL of the product: numbered files that are applied once, and functions/ whose files
// always hold the current text of one function (or of one lane's tables) and are applied again when they change.
package migrations

import "embed"

// FS holds NNNN_name.up.sql and functions/*.sql.
//
//go:embed *.up.sql functions/*.sql
var FS embed.FS
