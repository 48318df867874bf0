package crypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"stackforge/crypt"
)

var (
	one = uuid.MustParse("00000000-0000-0000-0000-000000000001")
	two = uuid.MustParse("00000000-0000-0000-0000-000000000002")
)

const payload = `{"to":"somebody@example.org"}`

func newRing(t testing.TB) *crypt.Ring {
	t.Helper()

	r, err := crypt.New()
	require.NoError(t, err)
	return r
}

func seal(t testing.TB, r *crypt.Ring) string {
	t.Helper()

	text, err := r.Encrypt(one, 7, []byte(payload))
	require.NoError(t, err)
	return text
}

func TestEncrypt(t *testing.T) {
	t.Parallel()

	t.Run("a ciphertext opens for its tenant and job alone", func(t *testing.T) {
		t.Parallel()

		r := newRing(t)
		text := seal(t, r)
		require.Regexp(t, `^sf1:[A-Za-z0-9+/]{40,}={0,2}$`, text)
		require.True(t, strings.HasPrefix(text, r.Current()))
		got, err := r.Decrypt(one, 7, text)
		require.NoError(t, err)
		require.True(t, bytes.Equal([]byte(payload), got), "%s", got)
		_, err = r.Decrypt(two, 7, text)
		require.ErrorIs(t, err, crypt.ErrOpen)
		_, err = r.Decrypt(one, 8, text)
		require.ErrorIs(t, err, crypt.ErrOpen)
	})

	t.Run("equal payloads give different ciphertexts", func(t *testing.T) {
		t.Parallel()

		r := newRing(t)
		first, second := seal(t, r), seal(t, r)
		require.NotEqual(t, first, second)
	})

	t.Run("every changed byte is noticed", func(t *testing.T) {
		t.Parallel()

		r := newRing(t)
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(seal(t, r), crypt.Scheme))
		require.NoError(t, err)
		for i := range raw {
			changed := bytes.Clone(raw)
			changed[i] ^= 1
			_, err := r.Decrypt(one, 7, crypt.Scheme+base64.StdEncoding.EncodeToString(changed))
			if i >= 1 && i < 5 { // they name the key
				require.ErrorIs(t, err, crypt.ErrUnknownKey, i)
				continue
			}
			require.ErrorIs(t, err, crypt.ErrOpen, i)
		}
		for _, bad := range []string{"", "sf1:", "sf1:!", "sf1:AAAA", "sf1:" + base64.StdEncoding.EncodeToString(raw[:20]), "pgsodium:AAAA"} {
			_, err := r.Decrypt(one, 7, bad)
			require.Error(t, err, bad)
		}
	})

	t.Run("more tenants than are remembered, at once", func(t *testing.T) {
		t.Parallel()

		r := newRing(t)
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				for i := range 1500 {
					id := uuid.UUID{byte(i), byte(i >> 8), byte(n % 2)}
					text, err := r.Encrypt(id, int64(i), []byte(payload))
					got, openErr := r.Decrypt(id, int64(i), text)
					if err = errors.Join(err, openErr); err != nil || string(got) != payload {
						t.Errorf("tenant %d reads %q: %v", i, got, err)
						return
					}
				}
			})
		}
		all.Wait()
	})

	t.Run("no tenant has another's key", func(t *testing.T) {
		t.Parallel()

		r := newRing(t)
		a, err := crypt.Tenant(r, one)
		require.NoError(t, err)
		b, err := crypt.Tenant(r, two)
		require.NoError(t, err)
		text, err := a.Encrypt([]byte(payload), []byte("the same"))
		require.NoError(t, err)
		_, err = a.Decrypt(text, []byte("the same"))
		require.NoError(t, err)
		_, err = b.Decrypt(text, []byte("the same"))
		require.Error(t, err)
	})
}

func TestRing(t *testing.T) {
	t.Parallel()

	t.Run("the same 32 bytes are the same key", func(t *testing.T) {
		t.Parallel()

		raw := make([]byte, crypt.KeyBytes)
		_, _ = rand.Read(raw)
		text := base64.StdEncoding.EncodeToString(raw)
		a, err := crypt.Parse(text, nil)
		require.NoError(t, err)
		b, err := crypt.Parse(text+"\n", nil)
		require.NoError(t, err)
		got, err := b.Decrypt(one, 7, seal(t, a))
		require.NoError(t, err)
		require.True(t, bytes.Equal([]byte(payload), got), "%s", got)
	})

	t.Run("a keyset survives its text, also in base64", func(t *testing.T) {
		t.Parallel()

		r, err := newRing(t).Rotate()
		require.NoError(t, err)
		text, err := r.Text(nil)
		require.NoError(t, err)
		for _, form := range []string{text, base64.StdEncoding.EncodeToString([]byte(text))} {
			again, err := crypt.Parse(form, nil)
			require.NoError(t, err)
			require.Equal(t, 2, again.Len())
			_, err = again.Decrypt(one, 7, seal(t, r))
			require.NoError(t, err)
		}
	})

	t.Run("rotation keeps what was encrypted readable, and retiring does not", func(t *testing.T) {
		t.Parallel()

		r := newRing(t)
		old := seal(t, r)
		next, err := r.Rotate()
		require.NoError(t, err)
		require.NotEqual(t, r.Current(), next.Current())
		_, err = next.Decrypt(one, 7, old)
		require.NoError(t, err)
		_, err = r.Decrypt(one, 7, seal(t, next))
		require.ErrorIs(t, err, crypt.ErrUnknownKey, "the older ring does not know the new key")
		last, err := next.Retire()
		require.NoError(t, err)
		require.Equal(t, 1, last.Len())
		_, err = last.Decrypt(one, 7, seal(t, next))
		require.NoError(t, err)
		_, err = last.Decrypt(one, 7, old)
		require.ErrorIs(t, err, crypt.ErrUnknownKey)
	})

	t.Run("what is no ring is refused and not repeated", func(t *testing.T) {
		t.Parallel()

		for _, text := range []string{
			"", "secret-word", base64.StdEncoding.EncodeToString([]byte("short")), `{"secret-word": 1}`, `{"primaryKeyId": 1, "key": []}`,
			base64.StdEncoding.EncodeToString(make([]byte, 33)),
		} {
			_, err := crypt.Parse(text, nil)
			require.Error(t, err, text)
			require.NotContains(t, err.Error(), "secret-word")
		}
	})
}

// keyFile writes a key as FileKMS reads it and returns its URI.
func keyFile(t *testing.T) string {
	t.Helper()

	raw := make([]byte, crypt.KeyBytes)
	_, _ = rand.Read(raw)
	name := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString(raw)+"\n"), 0o600))
	return "file://" + name
}

func openKEK(t *testing.T, uri string) tink.AEAD { //nolint:ireturn // which one it is the URI says
	t.Helper()

	kek, err := crypt.OpenKEK(uri, crypt.FileKMS{})
	require.NoError(t, err)
	return kek
}

func TestKEK(t *testing.T) {
	t.Parallel()

	kek := openKEK(t, keyFile(t))
	r := newRing(t)
	text, err := r.Text(kek)
	require.NoError(t, err)
	again, err := crypt.Parse(text, kek)
	require.NoError(t, err)
	_, err = again.Decrypt(one, 7, seal(t, r))
	require.NoError(t, err)
	_, err = crypt.Parse(text, nil)
	require.Error(t, err, "without its key")
	_, err = crypt.Parse(text, openKEK(t, keyFile(t)))
	require.Error(t, err, "with another key")
	open, err := r.Text(nil)
	require.NoError(t, err)
	_, err = crypt.Parse(open, kek)
	require.Error(t, err, "a keyset in the clear where an encrypted one is expected")

	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, []byte("c2hvcnQ="), 0o600))
	for _, uri := range []string{"gcp-kms://projects/x", "aws-kms://arn", "hcvault://vault/transit/keys/x", "file://relative", "file:///nowhere/at/all", "file://" + short, "x"} {
		_, err := crypt.OpenKEK(uri, crypt.FileKMS{})
		require.Error(t, err, uri)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()

	r := newRing(t)
	require.Same(t, r, crypt.Fixed(r).Ring())
	require.Same(t, r, crypt.Fixed(r).Fresh())

	name := filepath.Join(t.TempDir(), "ring")
	write := func(r *crypt.Ring) {
		text, err := r.Text(nil)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(name+".new", name))
	}
	write(r)
	s, err := crypt.Follow(name, func() (*crypt.Ring, error) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return crypt.Parse(string(text), nil)
	})
	require.NoError(t, err)
	next, err := r.Rotate()
	require.NoError(t, err)
	write(next)
	require.Equal(t, next.Current(), s.Fresh().Current())
	require.NoError(t, os.WriteFile(name, []byte("spoiled"), 0o600))
	require.Equal(t, next.Current(), s.Fresh().Current(), "a file that cannot be read changes nothing")
	third, err := next.Rotate()
	require.NoError(t, err)
	write(third)
	require.Eventually(t, func() bool { return s.Ring().Current() == third.Current() }, 20*time.Second, 100*time.Millisecond)

	_, err = crypt.Follow(name, func() (*crypt.Ring, error) { return nil, os.ErrNotExist })
	require.Error(t, err)
}

// What a payload costs by its size, beside AES-256-GCM of the standard library on 1 KiB.
func BenchmarkPayload(b *testing.B) {
	plain := bytes.Repeat([]byte("x"), 1024)
	for _, kib := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("ring, %d KiB", kib), func(b *testing.B) {
			r, plain := newRing(b), bytes.Repeat(plain, kib)
			b.ReportAllocs()
			for b.Loop() {
				text, err := r.Encrypt(one, 7, plain)
				require.NoError(b, err)
				_, err = r.Decrypt(one, 7, text)
				require.NoError(b, err)
			}
		})
	}
	b.Run("standard", func(b *testing.B) {
		block, err := aes.NewCipher(make([]byte, 32))
		require.NoError(b, err)
		gcm, err := cipher.NewGCM(block)
		require.NoError(b, err)
		for b.Loop() {
			nonce := make([]byte, gcm.NonceSize())
			_, _ = rand.Read(nonce)
			_, err := gcm.Open(nil, nonce, gcm.Seal(nil, nonce, plain, nil), nil)
			require.NoError(b, err)
		}
	})
}
