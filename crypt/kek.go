package crypt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// OpenKEK returns the key that encrypts keysets, by its URI: of the first client that supports it. This program brings FileKMS and
// AWSKMS; those of other clouds are Tink's (tink-go-gcpkms, tink-go-hcvault).
func OpenKEK(uri string, clients ...registry.KMSClient) (tink.AEAD, error) { //nolint:ireturn // which one it is the URI says
	for _, c := range clients {
		if c.Supported(uri) {
			return c.GetAEAD(uri)
		}
	}
	scheme, _, _ := strings.Cut(uri, ":")
	return nil, fmt.Errorf("this program has no client for %s: a key is file:///path/of/a/key, or aws-kms://arn:aws:kms:…", scheme)
}

// witness remembers why a key did not decrypt: Tink does not pass it on.
type witness struct {
	tink.AEAD

	err error
}

// Decrypt decrypts.
func (w *witness) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	out, err := w.AEAD.Decrypt(ciphertext, associatedData)
	w.err = err
	return out, err
}

// FileKMS reads keys from files: file:///run/secrets/kek names one with base64 of 32 random bytes. It separates the keyset
// from what opens it (another mount, another backup), and is no hardware.
type FileKMS struct{}

var _ registry.KMSClient = FileKMS{}

const fileScheme = "file://"

// Supported says whether the URI is a file's.
func (FileKMS) Supported(uri string) bool { return strings.HasPrefix(uri, fileScheme) }

// GetAEAD reads the file.
func (FileKMS) GetAEAD(uri string) (tink.AEAD, error) { //nolint:ireturn // registry.KMSClient has it so
	path := strings.TrimPrefix(uri, fileScheme)
	if !filepath.IsAbs(path) {
		return nil, errors.New("the path of a file:// key must be absolute")
	}
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, errors.New("the file of the key cannot be read")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != KeyBytes {
		return nil, errors.New("the file of the key must have base64 of 32 random bytes")
	}
	return subtle.NewAESGCM(raw)
}
