package rest

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"stackforge/httpd"
)

// Error is the body of every answer that is none of success.
type Error struct {
	StatusCode int          `json:"statusCode" doc:"The HTTP status." example:"404"`
	Error      string       `json:"error" doc:"Text of the status." example:"Not Found"`
	Message    string       `json:"message" doc:"A sentence for people." example:"There is no such document."`
	Code       string       `json:"code" doc:"The stable name of the kind of failure, for programs." example:"NOT_FOUND"`
	RequestID  string       `json:"requestId" doc:"Names the request in the log of the server." example:"0193a7b0-7f6b-7d0e-9a52-5f3d1c2b4a69"`
	Fields     []ErrorField `json:"fields,omitempty" nullable:"false" doc:"Input that is not as it should be."`
}

// ErrorField is one input that is not as it should be.
type ErrorField struct {
	Field   string `json:"field" doc:"The path of the field, or the name of the parameter." example:"title"`
	Message string `json:"message" doc:"What is wrong with it." example:"A title cannot be blank."`
}

var _ = ErrorField(httpd.Field{}) // they stay the same

// description is the head of the OpenAPI document, and how huma works here.
func description(version string) huma.Config {
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Stackforge REST API",
				Version: version,
				Description: "The REST door of Stackforge. GraphQL at `/graphql` can do all of this and more.\n\n" +
					"Send an API key as `x-api-key`, or a token (or the key) as `Authorization: Bearer …`. Unknown fields are ignored. " +
					"Times are UTC with milliseconds. Every failure has the same form; `code` is for programs. " +
					"Every answer has an `X-Request-Id`; where requests are limited, also `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds).",
				License: &huma.License{Name: "Proprietary", Identifier: "LicenseRef-Proprietary"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "This server"}},
			Tags: []*huma.Tag{
				{Name: "Authentication", Description: "Tokens for API keys."},
				{Name: "Documents", Description: "Texts, and finding them."},
				{Name: "Files", Description: "Uploads and downloads."},
				{Name: "Jobs", Description: "Background work, and following it."},
				{Name: "Dashboard", Description: "The tenant in numbers."},
				{Name: "Messages", Description: "Queues of messages between programs."},
				{Name: "Webhook", Description: "Where the tenant hears of finished jobs."},
				{Name: "Tenant", Description: "All that is the tenant's."},
				{Name: "GraphQL", Description: "The whole API in one endpoint."},
				{Name: "Operations", Description: "For those who run the server."},
			},
			Components: &huma.Components{
				Responses: map[string]*huma.Response{},
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"apiKey": {Type: "apiKey", In: "header", Name: "x-api-key", Description: "An API key, such as sk_live_…"},
					"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "A token from /auth/token, or an API key."},
				},
			},
		},
		// huma looks for "json" when it writes errors of its own, whose type ends in +json until shape has replaced them.
		Formats:       map[string]huma.Format{"application/json": strictJSON(), "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{shape},
	}
	c.AllowAdditionalPropertiesByDefault = true
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := c.Components.Schemas.Schema(reflect.TypeFor[Error](), true, "")
	for status, what := range failures() {
		r := &huma.Response{Description: what, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
		if status == http.StatusTooManyRequests {
			r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
		c.Components.Responses[failureName(status)] = r
	}
	return c
}

// failures are the statuses that answers may have, and what each means.
func failures() map[int]string {
	return map[int]string{
		http.StatusBadRequest:            "The input is not valid; `fields` names what is wrong.",
		http.StatusUnauthorized:          "There is no valid API key or token.",
		http.StatusForbidden:             "The key lacks the permission, or names another tenant.",
		http.StatusNotFound:              "There is no such thing, or it is another tenant's.",
		http.StatusMethodNotAllowed:      "The path does not take this method, or GraphQL not this operation by GET.",
		http.StatusNotAcceptable:         "The answer cannot have the type that Accept asks for.",
		http.StatusRequestTimeout:        "The body did not arrive in time.",
		http.StatusConflict:              "It conflicts with what is there.",
		http.StatusPreconditionFailed:    "It is not what the request's conditions ask for.",
		http.StatusRequestEntityTooLarge: "The body is too long.",
		http.StatusRequestURITooLong:     "The URL is too long.",
		http.StatusUnsupportedMediaType:  "The body is no JSON.",

		http.StatusRequestedRangeNotSatisfiable: "There is no such part.",
		http.StatusTooManyRequests:              "Too many requests.",
		http.StatusNotImplemented:               "This server lacks an extension or a setting, which the message names.",
		http.StatusInternalServerError:          "A fault of the server; its log has the cause under the request id.",
		http.StatusBadGateway:                   "A service that this server needs has failed.",
		http.StatusServiceUnavailable:           "The database is away for the moment.",
		http.StatusGatewayTimeout:               "It took too long.",
	}
}

func failureName(status int) string { return "Failure" + strconv.Itoa(status) }

// operation describes an operation: its success, and its failures beside those that every operation has.
func operation(tag, method, path, id, summary string, status int, more ...int) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag}, DefaultStatus: status,
		Responses: map[string]*huma.Response{strconv.Itoa(status): {Description: success(status)}},
	}
	for _, s := range append(more, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout) {
		op.Responses[strconv.Itoa(s)] = &huma.Response{Ref: "#/components/responses/" + failureName(s)}
	}
	return op
}

func success(status int) string {
	switch status {
	case http.StatusCreated:
		return "It was created."
	case http.StatusNoContent:
		return "It was done."
	case http.StatusSwitchingProtocols:
		return "The socket is open."
	default:
		return "The answer."
	}
}

// secure tells that an operation needs a credential, and which permission.
func secure(op *huma.Operation, scope string) {
	op.Security = []map[string][]string{{"apiKey": {}}, {"bearer": {}}}
	if op.Description != "" {
		op.Description += "\n\n"
	}
	op.Description += "Needs the permission `" + scope + "`."
	for _, s := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		op.Responses[strconv.Itoa(s)] = &huma.Response{Ref: "#/components/responses/" + failureName(s)}
	}
}

// describe adds an operation to the document that a plain handler serves, or another package.
func (a *API) describe(op huma.Operation) {
	if op.Security == nil {
		op.Security = []map[string][]string{} // none
	}
	a.huma.OpenAPI().AddOperation(&op)
}

// answers gives the body of an operation's success.
func answers(op *huma.Operation, contentType string, s *huma.Schema) {
	r := op.Responses[strconv.Itoa(op.DefaultStatus)]
	if r.Content == nil {
		r.Content = map[string]*huma.MediaType{}
	}
	r.Content[contentType] = &huma.MediaType{Schema: s}
}

// schemaOf registers a type and returns a reference to it.
func schemaOf[T any](a *API) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// leads adds links from what an operation created to what can be done with it: each operation gets a field of the answer as its
// parameter id.
func leads(op *huma.Operation, field string, operations ...string) {
	r := op.Responses[strconv.Itoa(op.DefaultStatus)]
	r.Links = map[string]*huma.Link{}
	for _, id := range operations {
		r.Links[id] = &huma.Link{OperationID: id, Parameters: map[string]any{"id": "$response.body#/" + field}}
	}
}
