package crypt

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyderivation"
	"github.com/tink-crypto/tink-go/v2/keyderivation/prfbasedkeyderivation"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hkdfprf"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KeyBytes is the length of one key.
const KeyBytes = 32

// Ring is a set of keys, one of which is primary: it encrypts, and all decrypt. It does not change and is safe for
// concurrent use.
type Ring struct {
	handle  *keyset.Handle
	deriver keyderivation.KeysetDeriver
	primary uint32

	mu      sync.RWMutex
	tenants map[uuid.UUID]tink.AEAD // what was derived so far
}

// New returns a ring of one random key.
func New() (*Ring, error) {
	k, err := randomKey()
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	return add(m, k)
}

// Parse reads a ring: base64 of 32 bytes, or Tink's JSON keyset of HKDF-derived AES-256-GCM keys, or base64 of that. With a
// KEK the keyset must be encrypted by it; nil is for one in the clear. The error has no part of the text.
func Parse(text string, kek tink.AEAD) (*Ring, error) {
	text = strings.TrimSpace(text)
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
		if len(raw) == KeyBytes && kek == nil {
			k, err := newKey(raw)
			if err != nil {
				return nil, err
			}
			return add(keyset.NewManager(), k)
		}
		text = string(raw)
	}
	reader := keyset.NewJSONReader(strings.NewReader(text))
	var h *keyset.Handle
	var err error
	if kek == nil {
		h, err = insecurecleartextkeyset.Read(reader)
	} else {
		w := &witness{AEAD: kek}
		if h, err = keyset.Read(reader, w); w.err != nil {
			return nil, fmt.Errorf("the key that encrypts this keyset: %w", w.err)
		}
	}
	if err != nil {
		return nil, errNoRing // Tink's text may quote what it read
	}
	return open(h)
}

var errNoRing = errors.New("this must be base64 of 32 random bytes (openssl rand -base64 32), or a keyset as `stackforge key make-payload` writes it; with PAYLOAD_ENCRYPTION_KMS a keyset that was encrypted with that key")

// Text returns the ring as Parse reads it: Tink's JSON keyset, encrypted by the KEK unless that is nil.
func (r *Ring) Text(kek tink.AEAD) (string, error) {
	var b bytes.Buffer
	w := keyset.NewJSONWriter(&b)
	var err error
	if kek == nil {
		err = insecurecleartextkeyset.Write(r.handle, w)
	} else {
		err = r.handle.Write(w, kek)
	}
	return b.String(), err
}

// Rotate returns the ring with a new random key as the primary one.
func (r *Ring) Rotate() (*Ring, error) {
	k, err := randomKey()
	if err != nil {
		return nil, err
	}
	return add(keyset.NewManagerFromHandle(r.handle), k)
}

// Retire returns the ring with its primary key alone: what the others encrypted is lost.
func (r *Ring) Retire() (*Ring, error) {
	m := keyset.NewManagerFromHandle(r.handle)
	for i := range r.handle.Len() {
		e, err := r.handle.Entry(i)
		if err != nil {
			return nil, err
		}
		if !e.IsPrimary() {
			if err := m.Delete(e.KeyID()); err != nil {
				return nil, err
			}
		}
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return open(h)
}

// Len is the number of keys.
func (r *Ring) Len() int { return r.handle.Len() }

// String names the primary key; no key is shown.
func (r *Ring) String() string { return fmt.Sprintf("%d keys, primary %08x", r.Len(), r.primary) }

func (r *Ring) has(id uint32) bool {
	for i := range r.handle.Len() {
		if e, err := r.handle.Entry(i); err == nil && e.KeyID() == id && e.KeyStatus() == keyset.Enabled {
			return true
		}
	}
	return false
}

func randomKey() (*prfbasedkeyderivation.Key, error) {
	raw := make([]byte, KeyBytes)
	_, _ = rand.Read(raw) // never fails
	return newKey(raw)
}

// newKey is a key that derives an AES-256-GCM key for each tenant by HKDF. Its id is a hash of it, so that the same bytes
// are the same key wherever they are written.
func newKey(raw []byte) (*prfbasedkeyderivation.Key, error) {
	prf, err := hkdfprf.NewParameters(KeyBytes, hkdfprf.SHA256, nil)
	if err != nil {
		return nil, err
	}
	derived, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: KeyBytes, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink,
	})
	if err != nil {
		return nil, err
	}
	parameters, err := prfbasedkeyderivation.NewParameters(prf, derived)
	if err != nil {
		return nil, err
	}
	secret, err := hkdfprf.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), prf)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	return prfbasedkeyderivation.NewKey(parameters, secret, max(1, binary.BigEndian.Uint32(sum[:])))
}

func add(m *keyset.Manager, k *prfbasedkeyderivation.Key) (*Ring, error) {
	id, err := m.AddKey(k)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return open(h)
}

func open(h *keyset.Handle) (*Ring, error) {
	p, err := h.Primary()
	if err != nil {
		return nil, errNoRing
	}
	d, err := keyderivation.New(h)
	if err != nil {
		return nil, errNoRing
	}
	return &Ring{handle: h, deriver: d, primary: p.KeyID()}, nil
}
