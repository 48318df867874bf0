// Package nodeid writes and reads the opaque, global ids of the GraphQL Node interface. They hold no tenant: an id of
// another tenant finds nothing.
package nodeid

import (
	"encoding/base64"
	"strings"
)

// Node is what can be fetched by its global id.
type Node interface {
	// NodeID returns the opaque, global id.
	NodeID() string
}

// version lets the form change later without mistaking an old id.
const version = "1:"

// Encode returns the global id of a thing of a kind.
func Encode(kind, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(version + kind + ":" + id))
}

// Decode returns kind and id of a global id, false for anything that Encode did not write.
func Decode(nodeID string) (kind, id string, ok bool) {
	if len(nodeID) > 256 {
		return "", "", false
	}
	text, err := base64.RawURLEncoding.DecodeString(nodeID)
	if err != nil {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(string(text), version)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}
