package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"stackforge/app"
	"stackforge/config"
	"stackforge/crypt"
	"stackforge/db"
	"stackforge/repo/job"
)

// payloadKeyFile is the file with the keys of payloads, "" when they are in a variable or nowhere. Development makes its own.
func (p *program) payloadKeyFile() string {
	switch e := p.config.Encryption; {
	case e.KeyFile != "":
		return e.KeyFile
	case e.Key != "" || p.config.AppEnv == config.Production:
		return ""
	default:
		return p.path("payload.key")
	}
}

// payloadKeys is where the keys of payloads are; nil without any, in production without PAYLOAD_ENCRYPTION_KEY.
func (p *program) payloadKeys() (*crypt.Source, error) {
	kek, err := p.payloadKEK()
	if err != nil {
		return nil, err
	}
	e, file := p.config.Encryption, p.payloadKeyFile()
	if file == "" {
		if e.Key == "" {
			return nil, nil //nolint:nilnil // no keys are a way to run
		}
		r, err := crypt.Parse(e.Key.Reveal(), kek)
		if err != nil {
			return nil, fmt.Errorf("PAYLOAD_ENCRYPTION_KEY: %w", err)
		}
		return crypt.Fixed(r), nil
	}
	if e.KeyFile == "" {
		if err := p.makePayloadKey(file, kek); err != nil {
			return nil, err
		}
	}
	s, err := crypt.Follow(file, func() (*crypt.Ring, error) { return readRing(file, kek) })
	if err != nil {
		return nil, fmt.Errorf("the keys of payloads in %s: %w", file, err)
	}
	return s, nil
}

// payloadKEK is the key that encrypts the keys, nil when they are in the clear.
func (p *program) payloadKEK() (tink.AEAD, error) { //nolint:ireturn // Tink's
	uri := p.config.Encryption.KMS
	if uri == "" {
		return nil, nil //nolint:nilnil // none
	}
	kek, err := crypt.OpenKEK(uri, crypt.FileKMS{}, crypt.AWSKMS{})
	if err != nil {
		return nil, fmt.Errorf("PAYLOAD_ENCRYPTION_KMS: %w", err)
	}
	return kek, nil
}

func readRing(file string, kek tink.AEAD) (*crypt.Ring, error) {
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	return crypt.Parse(string(text), kek)
}

// makePayloadKey makes the keys of development, unless another process was first.
func (p *program) makePayloadKey(file string, kek tink.AEAD) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r, err := crypt.New()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.config.DataDir, 0o755); err != nil { //nolint:gosec // the files in it have their own modes
		return err
	}
	err = writeRing(file, r, kek, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// writeRing writes a file beside the real one and puts it there by place, os.Rename or os.Link, so that nobody reads half of it.
func writeRing(file string, r *crypt.Ring, kek tink.AEAD, place func(from, to string) error) error {
	text, err := r.Text(kek)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".payload-key-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // after a rename it is gone
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return place(f.Name(), file)
}

type keyMakePayloadCmd struct{}

// Run makes a keyset and prints it, encrypted when PAYLOAD_ENCRYPTION_KMS says by what.
func (keyMakePayloadCmd) Run(p *program) error {
	kek, err := p.payloadKEK()
	if err != nil {
		return err
	}
	r, err := crypt.New()
	if err != nil {
		return err
	}
	text, err := r.Text(kek)
	if err == nil {
		p.print("%s", text)
	}
	return err
}

type keyRotatePayloadCmd struct {
	ReencryptOnly bool `help:"Add no key: encrypt anew what older keys encrypted, as after a run that was stopped."`
	Retire        bool `help:"In the end remove the older keys, unless something is left that they encrypted. Not while processes with another copy of the keys run."`
	Batch         int  `default:"500" help:"Payloads a transaction, 1 to 10,000."`
}

// Validate checks the limits of the flags.
func (c keyRotatePayloadCmd) Validate() error {
	if c.Batch < 1 || c.Batch > 10_000 {
		return errors.New("--batch must be from 1 to 10,000")
	}
	return nil
}

// Run adds a primary key to the file and encrypts all payloads anew. Running processes follow the file, and the older keys
// stay in it, so that nothing is unreadable at any time. The exit code is 0 only when all payloads have the new key.
func (c keyRotatePayloadCmd) Run(ctx context.Context, p *program) error {
	keys, err := p.payloadKeys()
	if err != nil {
		return err
	}
	file := p.payloadKeyFile()
	switch {
	case keys == nil:
		return errors.New("there are no keys: set PAYLOAD_ENCRYPTION_KEY or PAYLOAD_ENCRYPTION_KEY_FILE")
	case file == "" && (!c.ReencryptOnly || c.Retire):
		return errors.New("the keys are in PAYLOAD_ENCRYPTION_KEY, where none can be added or removed: put them into a file and name it in PAYLOAD_ENCRYPTION_KEY_FILE")
	}
	if !c.ReencryptOnly {
		if err := p.changeRing(file, (*crypt.Ring).Rotate); err != nil {
			return err
		}
		p.say("%s: %s", file, keys.Fresh())
	}
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		if err := c.reencrypt(ctx, p, h, keys); err != nil || !c.Retire {
			return err
		}
		// What processes encrypted by the older key until they had seen the file.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * crypt.FollowEvery):
		}
		if err := c.reencrypt(ctx, p, h, keys); err != nil {
			return err
		}
		if err := p.changeRing(file, (*crypt.Ring).Retire); err != nil {
			return err
		}
		p.say("%s: %s", file, keys.Fresh())
		return nil
	})
}

func (p *program) changeRing(file string, change func(*crypt.Ring) (*crypt.Ring, error)) error {
	kek, err := p.payloadKEK()
	if err != nil {
		return err
	}
	r, err := readRing(file, kek)
	if err != nil {
		return err
	}
	if r, err = change(r); err != nil {
		return err
	}
	return writeRing(file, r, kek, os.Rename)
}

func (c keyRotatePayloadCmd) reencrypt(ctx context.Context, p *program, h *db.DB, keys *crypt.Source) error {
	ciphertexts := job.NewCiphertexts(h)
	total, err := ciphertexts.Count(ctx, keys.Ring().Current())
	if err != nil {
		return err
	}
	m := p.newMeter("payloads", total)
	done, err := app.NewPayloads(job.New(h), keys, nil).Reencrypt(ctx, ciphertexts, c.Batch,
		func(r app.Reencrypted) { m.show(r.Done+r.Changed+r.Failed, r.Done) },
		func(t job.Ciphertext, err error) {
			m.clear()
			p.say("job %d of tenant %s is left as it is: %s", t.ID, t.TenantID, err)
		})
	m.clear()
	text := fmt.Sprintf("encrypted %d payloads anew", done.Done)
	if done.Failed > 0 {
		text += fmt.Sprintf("; %d cannot be decrypted", done.Failed)
	}
	if done.Changed > 0 {
		text += fmt.Sprintf("; %d changed meanwhile, run this again with --reencrypt-only", done.Changed)
	}
	p.print("%s", text)
	switch {
	case ctx.Err() != nil:
		p.say("stopped; key rotate-payload --reencrypt-only goes on from here")
		return errReported
	case err != nil:
		return err
	case done.Failed+done.Changed > 0:
		return errReported
	}
	return nil
}
