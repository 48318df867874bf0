package auth

import (
	"net/http"
	"strings"
)

// Credentials are what a caller sent; empty is not sent.
type Credentials struct {
	APIKey string // of the header x-api-key
	Bearer string // of the header Authorization, after "Bearer ": a token or a key
}

// Empty reports whether nothing was sent.
func (c Credentials) Empty() bool { return c.APIKey == "" && c.Bearer == "" }

// Names of the headers in the form of http.Header.
const (
	keyHeader    = "X-Api-Key"
	bearerHeader = "Authorization"
)

// FromRequest returns the credentials in the headers x-api-key and Authorization. A header that is sent twice with
// different values makes credentials that are not valid. An Authorization of another scheme than Bearer is not ours.
func FromRequest(r *http.Request) Credentials {
	var c Credentials
	for _, v := range r.Header[keyHeader] {
		add(&c.APIKey, v)
	}
	for _, v := range r.Header[bearerHeader] {
		add(&c.Bearer, fromScheme(v))
	}
	return c
}

// FromInit returns the credentials in the payload of a connection_init message: apiKey, x-api-key or authorization
// ("Bearer …"), in whatever case, at the top or within headers. Values that are not text are not credentials.
func FromInit(payload map[string]any) Credentials {
	var c Credentials
	fromInit(&c, payload, true)
	return c
}

func fromInit(c *Credentials, payload map[string]any, top bool) {
	for name, value := range payload {
		text, _ := value.(string)
		switch strings.ToLower(name) {
		case "apikey", "x-api-key":
			add(&c.APIKey, text)
		case "authorization":
			add(&c.Bearer, fromScheme(text))
		case "headers":
			if nested, ok := value.(map[string]any); ok && top {
				fromInit(c, nested, false)
			}
		}
	}
}

// add joins different values by a comma, which no credential has: which of them counts is not for us to guess.
func add(to *string, value string) {
	value = strings.TrimSpace(value)
	switch {
	case value == "" || value == *to:
	case *to == "":
		*to = value
	default:
		*to += "," + value
	}
}

// fromScheme returns what follows "Bearer ", "" for another scheme.
func fromScheme(header string) string {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(header), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return rest
}
