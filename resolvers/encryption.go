package resolvers

import (
	"context"

	"stackforge/graph/model"
)

func (r *mutationRoot) EncryptJobPayload(ctx context.Context, input model.EncryptJobPayloadInput) (model.EncryptJobPayloadPayload, error) {
	id, err := jobID(input.ID)
	if err != nil {
		return model.EncryptJobPayloadPayload{}, err
	}
	j, err := r.Payloads.Encrypt(ctx, id, input.Redact)
	return model.EncryptJobPayloadPayload{Job: j}, err
}

func (r *mutationRoot) DecryptJobPayload(ctx context.Context, input model.DecryptJobPayloadInput) (model.DecryptJobPayloadPayload, error) {
	id, err := jobID(input.ID)
	if err != nil {
		return model.DecryptJobPayloadPayload{}, err
	}
	payload, err := r.Payloads.Decrypt(ctx, id)
	return model.DecryptJobPayloadPayload{Payload: payload}, err
}
