package rest

import "net/http"

// Token is an access token.
type Token struct {
	Token     string `json:"token" doc:"Send it as Authorization: Bearer." example:"eyJhbGciOiJIUzI1NiJ9.e30.Et9HFtf9R3GEMA0IICOfFMVXY7kkTX1wr4qCyhIf58U"`
	ExpiresIn int    `json:"expiresIn" doc:"Seconds that it holds." example:"3600"`
}

func (a *API) auth() {
	op := operation("Authentication", http.MethodPost, "/auth/token", "issueToken", "Get a token for an API key", http.StatusOK, 401)
	op.Description = "A token cannot be exchanged for another one: send the key itself."
	op.Security = []map[string][]string{{"apiKey": {}}}
	answers(&op, "application/json", schemaOf[Token](a))
	a.describe(op)
	a.mux.Handle("POST /auth/token", a.public(a.Token))
}
