package transport

import (
	"mime"
	"strconv"
	"strings"
)

// mediaType is the type of an answer.
type mediaType int

const (
	typeNone    mediaType = iota // the client accepts neither
	typeJSON                     // application/json
	typeGraphQL                  // application/graphql-response+json
)

const (
	jsonType    = "application/json"
	graphQLType = "application/graphql-response+json"
)

// negotiate chooses the type of the answer from the Accept headers. Without any, and for wildcards, it is
// application/json, which every client can read.
func negotiate(accept []string) mediaType {
	if len(accept) == 0 {
		return typeJSON
	}
	header := accept[0]
	if len(accept) > 1 {
		header = strings.Join(accept, ",")
	}
	switch header {
	case "", "*/*", jsonType, "application/json, text/plain, */*":
		return typeJSON
	case graphQLType:
		return typeGraphQL
	}
	var json, graphQL rank
	for part := range strings.SplitSeq(header, ",") {
		json.consider(part, jsonType)
		graphQL.consider(part, graphQLType)
	}
	switch {
	case json.q <= 0 && graphQL.q <= 0:
		return typeNone
	case graphQL.q > json.q, graphQL.q == json.q && graphQL.precision > json.precision,
		graphQL.q == json.q && graphQL.precision == exact && json.precision == exact:
		return typeGraphQL // of two equal ones, the one made for GraphQL
	}
	return typeJSON
}

// rank is how much a client wants one type, said by the most precise range that matches it.
type rank struct {
	q         float64
	precision int
}

const exact = 3 // precision of a full type; 2 is a subtype wildcard, 1 is */*

func (r *rank) consider(part, media string) {
	name, parameters, _ := strings.Cut(part, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	precision := 0
	switch name {
	case media:
		precision = exact
	case "application/*":
		precision = 2
	case "*/*":
		precision = 1
	}
	if precision == 0 || precision < r.precision {
		return
	}
	q := 1.0
	for p := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(key) {
		case "q":
			parsed, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || parsed < 0 || parsed > 1 {
				return
			}
			q = parsed
		case "charset":
			if !isUTF8(value) {
				return
			}
		}
	}
	if precision > r.precision || q > r.q {
		r.q, r.precision = q, precision
	}
}

func isUTF8(charset string) bool {
	charset = strings.Trim(strings.TrimSpace(charset), `"`)
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// isJSON says whether a Content-Type is JSON in UTF-8.
func isJSON(contentType string) bool {
	if contentType == jsonType {
		return true
	}
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != jsonType {
		return false
	}
	charset, given := parameters["charset"]
	return !given || isUTF8(charset)
}
