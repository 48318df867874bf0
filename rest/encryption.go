package rest

import (
	"context"
	"net/http"
)

// Encryption says how a payload is to be encrypted.
type Encryption struct {
	Redact bool `json:"redact,omitempty" nullable:"true" doc:"Blank the plain payload, so that only the encrypted one is left." example:"false"`
}

// Encrypted says that a payload is encrypted.
type Encrypted struct {
	Encrypted bool `json:"encrypted" doc:"Always true." example:"true"`
}

// Decrypted is a payload that was encrypted.
type Decrypted struct {
	Payload object `json:"payload" doc:"The payload." example:"{\"to\":\"someone@example.org\"}"`
}

func (a *API) encryption() {
	handle(a, "jobs:write", operation("Jobs", http.MethodPost, "/jobs/{id}/encrypt", "encryptJob", "Encrypt a job's payload", http.StatusOK, 400, 404, 409, 413, 415, 501),
		func(ctx context.Context, in *struct {
			ID   string `path:"id" pattern:"^([0-9]+|[a-zA-Z]+)$" doc:"The number, or the short public id." example:"1"`
			Body *Encryption
		},
		) (*struct{ Body Encrypted }, error) {
			id, err := jobID{in.ID}.parse()
			if err != nil {
				return nil, err
			}
			_, err = a.Payloads.Encrypt(ctx, id, in.Body != nil && in.Body.Redact)
			return &struct{ Body Encrypted }{Encrypted{true}}, err
		})
	handle(a, "jobs:decrypt", operation("Jobs", http.MethodPost, "/jobs/{id}/decrypt", "decryptJob", "Decrypt a job's payload", http.StatusOK, 400, 404, 501),
		func(ctx context.Context, in *jobID) (*struct {
			CacheControl string `header:"Cache-Control" hidden:"true"`
			Body         Decrypted
		}, error,
		) {
			id, err := in.parse()
			if err != nil {
				return nil, err
			}
			payload, err := a.Payloads.Decrypt(ctx, id)
			return &struct {
				CacheControl string `header:"Cache-Control" hidden:"true"`
				Body         Decrypted
			}{"no-store", Decrypted{object{payload}}}, err
		})
}
