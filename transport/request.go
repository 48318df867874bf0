package transport

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// request is one GraphQL request as the client sent it.
type request struct {
	query         string
	operationName string
	variables     map[string]any
	extensions    map[string]any
}

// shapeError is about JSON that is well-formed but no GraphQL request.
type shapeError string

func (e shapeError) Error() string { return string(e) }

// parseRequest reads the JSON of an HTTP body or of a subscribe payload. Unknown members are ignored.
func parseRequest(text string) (request, error) {
	var req request
	s := newScanner(text)
	if s.peek() == '[' {
		return req, shapeError("a list of requests (batching) is not supported; send them one by one")
	}
	err := s.object(func(key string) error { return req.member(s, key) })
	if err == nil {
		err = s.end()
	}
	return req, err
}

func (req *request) member(s *scanner, key string) (err error) {
	switch key {
	case "query":
		req.query, err = optionalString(s, key)
	case "operationName":
		req.operationName, err = optionalString(s, key)
	case "variables":
		req.variables, err = optionalMap(s, key)
	case "extensions":
		req.extensions, err = optionalMap(s, key)
	default:
		err = s.skip()
	}
	return err
}

func optionalString(s *scanner, key string) (string, error) {
	switch {
	case s.peek() == '"':
		return s.clean()
	case s.null():
		return "", nil
	}
	return "", shapeError(key + " must be a string")
}

func optionalMap(s *scanner, key string) (map[string]any, error) {
	switch {
	case s.peek() == '{':
		return s.mapping()
	case s.null():
		return nil, nil //nolint:nilnil // null is a valid absence
	}
	return nil, shapeError(key + " must be an object")
}

// parseMap reads the JSON object of a URL parameter.
func parseMap(text, name string) (map[string]any, error) {
	s := newScanner(text)
	out, err := optionalMap(s, name)
	if err == nil {
		err = s.end()
	}
	return out, err
}

// cleanText refuses text that is no UTF-8 or contains NUL, as the strings of a body.
func cleanText(text, name string) error {
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return errors.New("the parameter " + name + " is not valid UTF-8 without NUL")
	}
	return nil
}
