package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"stackforge/crypt"
)

// encryptionBar is the most that encrypting a payload of 1 KiB and decrypting it may take.
const encryptionBar = 500 * time.Microsecond

// encryptionPart measures what an encrypted payload costs a process, beside AES-256-GCM of the standard library with a key
// that is ready, on the same bytes. The difference is the tenant's key, which is derived each time, and base64.
func (b *bench) encryptionPart(ctx context.Context) error {
	ring, err := crypt.New()
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(make([]byte, crypt.KeyBytes))
	if err != nil {
		return err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	tenantID := uuid.New()
	for _, size := range []int{1 << 10, 64 << 10, 256 << 10} {
		plain := bytes.Repeat([]byte("x"), size)
		ours, err := b.medianOf(ctx, func() error {
			text, err := ring.Encrypt(tenantID, 1, plain)
			if err == nil {
				_, err = ring.Decrypt(tenantID, 1, text)
			}
			return err
		})
		if err != nil {
			return err
		}
		theirs, err := b.medianOf(ctx, func() error {
			nonce := make([]byte, gcm.NonceSize())
			_, _ = rand.Read(nonce) // never fails
			_, err := gcm.Open(nil, nonce, gcm.Seal(nil, nonce, plain, nil), nil)
			return err
		})
		if err != nil {
			return err
		}
		what := fmt.Sprintf("encrypt and decrypt a payload of %d KiB, p50", size>>10)
		peer := fmt.Sprintf("crypto/cipher AES-GCM %s", theirs)
		ratio := fmt.Sprintf("%.1f × the time", float64(ours)/float64(theirs))
		if size > 1<<10 {
			b.report.note("encryption", what, ours.String(), peer, ratio)
			continue
		}
		b.report.bound("encryption", what, ours.String(), peer, ratio, "≤ 0.5 ms", ours <= encryptionBar)
	}
	return nil
}

// medianOf calls fn for a tenth of a part's time and returns the median.
func (b *bench) medianOf(ctx context.Context, fn func() error) (time.Duration, error) {
	var took []time.Duration
	for end := time.Now().Add(time.Duration(b.seconds) * time.Second / 10); time.Now().Before(end) && ctx.Err() == nil; {
		start := time.Now()
		if err := fn(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	if len(took) == 0 {
		return 0, ctx.Err()
	}
	slices.Sort(took)
	return took[len(took)/2].Round(10 * time.Nanosecond), nil
}
