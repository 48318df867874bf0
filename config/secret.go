package config

import "fmt"

// hidden is what is printed in place of a secret that is set.
const hidden = "[secret]"

// Secret is a string that no log, error or JSON shows. Reveal returns the text.
type Secret string

var _ fmt.Formatter = Secret("")

// Format prints a placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText returns the placeholder; JSON uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself, for the one call that needs it.
func (s Secret) Reveal() string { return string(s) }

// String returns a placeholder, "" when the secret is not set.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}
