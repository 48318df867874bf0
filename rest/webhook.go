package rest

import (
	"context"
	"net/http"
)

// NewWebhook is the address of the tenant's webhook.
type NewWebhook struct {
	URL string `json:"url" doc:"An http or https address of the public internet." example:"https://example.org/hook"`
}

// Webhook is the tenant's webhook.
type Webhook struct {
	URL    string `json:"url" doc:"Where events are posted to." example:"https://example.org/hook"`
	Secret string `json:"secret,omitempty" doc:"Verifies the signature of what is posted; shown only in the answer that made it." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

func (a *API) webhook() {
	handle(a, "webhooks:write", operation("Webhook", http.MethodPut, "/webhook", "setWebhook", "Set the tenant's webhook", http.StatusOK, 400, 409, 413, 415),
		func(ctx context.Context, in *struct{ Body NewWebhook }) (*struct {
			CacheControl string `header:"Cache-Control" hidden:"true"`
			Body         Webhook
		}, error,
		) {
			e, secret, err := a.Webhooks.Set(ctx, in.Body.URL)
			return &struct {
				CacheControl string `header:"Cache-Control" hidden:"true"`
				Body         Webhook
			}{"no-store", Webhook{URL: e.URL, Secret: secret}}, err
		})
	handle(a, "webhooks:write", operation("Webhook", http.MethodDelete, "/webhook", "removeWebhook", "Remove the tenant's webhook", http.StatusNoContent, 404),
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			_, err := a.Webhooks.Remove(ctx)
			return &struct{}{}, err
		})
}
