// Package crypt encrypts the payloads of jobs: AES-256-GCM with a key of each tenant's own, which is derived from a ring of
// keys by Tink's keysets. The tenant and the job are associated data, so a ciphertext opens in no other row.
//
// A ciphertext is text: sf1:, then base64 of Tink's form (one byte of version, four that name the key of the ring, a random
// nonce of 12, the encrypted bytes, a tag of 16). Equal payloads give different ciphertexts.
package crypt

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Scheme starts every ciphertext of this package.
const Scheme = "sf1:"

// Why a ciphertext does not open. There is no more to say about the second: Tink gives no detail, and none should be had.
var (
	// ErrUnknownKey is for a ciphertext of a key that the ring lacks.
	ErrUnknownKey = errors.New("the key that this was encrypted with is not in the ring")
	// ErrOpen is for one that was changed, or belongs to another tenant or job.
	ErrOpen = errors.New("this cannot be decrypted")
)

// Encrypt returns the ciphertext of a job's payload, by the primary key of the ring.
func (r *Ring) Encrypt(tenant uuid.UUID, job int64, plaintext []byte) (string, error) {
	a, err := r.tenant(tenant)
	if err != nil {
		return "", err
	}
	out, err := a.Encrypt(plaintext, associated(tenant, job))
	if err != nil {
		return "", err
	}
	text := make([]byte, 0, len(Scheme)+base64.StdEncoding.EncodedLen(len(out)))
	return string(base64.StdEncoding.AppendEncode(append(text, Scheme...), out)), nil
}

// Decrypt returns the payload of a ciphertext. It is ErrUnknownKey or ErrOpen.
func (r *Ring) Decrypt(tenant uuid.UUID, job int64, ciphertext string) ([]byte, error) {
	body, ok := strings.CutPrefix(ciphertext, Scheme)
	if !ok {
		return nil, ErrOpen
	}
	raw, err := base64.StdEncoding.DecodeString(body)
	if err != nil || len(raw) < prefixBytes {
		return nil, ErrOpen
	}
	if !r.has(binary.BigEndian.Uint32(raw[1:])) {
		return nil, ErrUnknownKey
	}
	a, err := r.tenant(tenant)
	if err != nil {
		return nil, err
	}
	out, err := a.Decrypt(raw, associated(tenant, job))
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

// prefixBytes is what Tink puts before a ciphertext: a version and the key's id.
const prefixBytes = 5

// Current is how the ciphertexts of the primary key begin: the scheme and as much of Tink's prefix as fills whole letters.
// It leaves out the last 4 bits of the key's id.
func (r *Ring) Current() string {
	prefix := binary.BigEndian.AppendUint32([]byte{1}, r.primary)
	return Scheme + base64.StdEncoding.EncodeToString(prefix)[:6]
}

// maxTenants bounds the derived keys that are kept: making one costs more than encrypting a payload of a few KiB.
const maxTenants = 1000

// tenant returns the AEAD of a tenant: each key of the ring derives one, under the same id.
func (r *Ring) tenant(tenant uuid.UUID) (tink.AEAD, error) { //nolint:ireturn // Tink tells no more
	r.mu.RLock()
	a, ok := r.tenants[tenant]
	r.mu.RUnlock()
	if ok {
		return a, nil
	}
	derived, err := r.deriver.DeriveKeyset(tenant[:])
	if err != nil {
		return nil, err
	}
	if a, err = aead.New(derived); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.tenants) >= maxTenants || r.tenants == nil {
		r.tenants = map[uuid.UUID]tink.AEAD{}
	}
	r.tenants[tenant] = a
	return a, nil
}

// associated is what a ciphertext is bound to.
func associated(tenant uuid.UUID, job int64) []byte {
	out := append([]byte("stackforge job payload "), tenant[:]...)
	return binary.BigEndian.AppendUint64(out, uint64(job)) //nolint:gosec // the same 64 bits
}
