// Package hashid writes lists of numbers as short texts and reads them back: the public Hashids algorithm, with the same
// output as the SQL functions hashid_encode and hashid_decode. It hides no secret: it only makes ids short and opaque.
package hashid

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// Errors of this package.
var (
	ErrAlphabet = errors.New("the alphabet needs 16 different ASCII characters and no white space")
	ErrSalt     = errors.New("the salt must be ASCII")
	ErrEmpty    = errors.New("there are no numbers to encode")
	ErrInvalid  = errors.New("this is not a hashid")
)

// The shape of the algorithm's sets: letters per separator, letters per guard.
const (
	separators     = "cfhistuCFHISTU"
	lettersPerSep  = 3.5
	lettersPerGate = 12
	minAlphabet    = 16
)

// Encode writes numbers as one text of at least minLength characters. Negative numbers count as unsigned 64-bit ones.
// It is ErrEmpty, ErrAlphabet or ErrSalt. Use a Codec to encode many.
func Encode(salt, alphabet string, minLength int, numbers ...int64) (string, error) {
	c, err := New(salt, alphabet, minLength)
	if err != nil {
		return "", err
	}
	return c.Encode(numbers...)
}

// Decode reads what Encode wrote with the same salt, alphabet and minLength. It is ErrInvalid for every other text,
// ErrAlphabet or ErrSalt.
func Decode(salt, alphabet string, minLength int, hash string) ([]int64, error) {
	c, err := New(salt, alphabet, minLength)
	if err != nil {
		return nil, err
	}
	return c.Decode(hash)
}

// Codec encodes and decodes with one salt and alphabet. It is safe for concurrent use.
type Codec struct {
	salt      []byte
	minLength int
	letters   []byte
	seps      []byte
	guards    []byte
	first     [][]byte   // the letters of the first number, by the position of the lottery character
	at        [256]int16 // position of a character in letters, -1 for others
	kind      [256]byte  // 's' separator, 'g' guard, 0 other
}

// New prepares a Codec. It is ErrAlphabet or ErrSalt.
func New(salt, alphabet string, minLength int) (*Codec, error) {
	if !ascii(salt) {
		return nil, ErrSalt
	}
	letters, err := distinct(alphabet)
	if err != nil {
		return nil, err
	}
	c := &Codec{salt: []byte(salt), minLength: minLength}
	c.split(letters)
	for i := range c.at {
		c.at[i] = -1
	}
	for i, l := range c.letters {
		c.at[l] = int16(i)
		a := append([]byte(nil), c.letters...)
		c.reorder(a, l)
		c.first = append(c.first, a)
	}
	for _, s := range c.seps {
		c.kind[s] = 's'
	}
	for _, g := range c.guards {
		c.kind[g] = 'g'
	}
	return c, nil
}

// Encode writes numbers as one text. It is ErrEmpty without numbers.
func (c *Codec) Encode(numbers ...int64) (string, error) {
	if len(numbers) == 0 {
		return "", ErrEmpty
	}
	var room [64]byte
	return string(c.encode(room[:0], numbers)), nil
}

// Decode reads what Encode wrote; it encodes again and compares, so that a text of another salt is ErrInvalid.
func (c *Codec) Decode(hash string) ([]int64, error) {
	numbers, err := c.read(hash)
	if err != nil {
		return nil, err
	}
	var room [64]byte
	if string(c.encode(room[:0], numbers)) != hash {
		return nil, ErrInvalid
	}
	return numbers, nil
}

func (c *Codec) encode(r []byte, numbers []int64) []byte {
	var sum, la uint64 = 0, uint64(len(c.letters))
	for i, n := range numbers {
		sum += uint64(n) % uint64(i+100) //nolint:gosec // negative numbers count as unsigned ones
	}
	lottery := c.letters[sum%la]
	r = append(r, lottery)
	a := c.first[sum%la]
	var room [128]byte
	for i, number := range numbers {
		if i > 0 {
			a = append(room[:0], a...)
			c.reorder(a, lottery)
		}
		n := uint64(number) //nolint:gosec // as above
		start := len(r)
		r = appendDigits(r, a, n)
		if i+1 < len(numbers) {
			r = append(r, c.seps[n%(uint64(r[start])+uint64(i))%uint64(len(c.seps))])
		}
	}
	if len(r) < c.minLength {
		r = c.pad(r, append([]byte(nil), a...), sum)
	}
	return r
}

// appendDigits writes n in the base of the alphabet a.
func appendDigits(r, a []byte, n uint64) []byte {
	start := len(r)
	for la := uint64(len(a)); ; n /= la {
		r = append(r, a[n%la])
		if n < la {
			break
		}
	}
	for i, j := start, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return r
}

// pad adds guards, then halves of reshuffled alphabets, on both sides until the text is long enough.
func (c *Codec) pad(r, a []byte, sum uint64) []byte {
	gates := uint64(len(c.guards))
	r = append([]byte{c.guards[(sum+uint64(r[0]))%gates]}, r...)
	if len(r) < c.minLength {
		r = append(r, c.guards[(sum+uint64(r[2]))%gates])
	}
	half := len(a) / 2
	for len(r) < c.minLength {
		shuffle(a, append([]byte(nil), a...))
		r = append(append(append([]byte(nil), a[half:]...), r...), a[:half]...)
		if extra := len(r) - c.minLength; extra > 0 {
			r = r[extra/2 : extra/2+c.minLength]
		}
	}
	return r
}

// read takes a text apart without asking whether Encode would write it.
func (c *Codec) read(hash string) ([]int64, error) {
	parts := strings.FieldsFunc(hash, func(r rune) bool { return r < 128 && c.kind[r] == 'g' })
	var body string
	switch n := strings.Count(hash, "") - 1; {
	case n == 0 || len(parts) == 0 || n != len(hash):
		return nil, ErrInvalid
	case len(parts) >= 2 && c.kind[hash[0]] != 'g' || len(parts) == 3:
		body = parts[1]
	default:
		body = parts[0]
	}
	lottery := body[0]
	if c.at[lottery] < 0 {
		return nil, ErrInvalid
	}
	a := c.first[c.at[lottery]]
	var room [128]byte
	numbers := []int64{}
	for rest := body[1:]; ; {
		end := 0
		for end < len(rest) && c.kind[rest[end]] != 's' {
			end++
		}
		n, ok := digits(rest[:end], a)
		if !ok {
			return nil, ErrInvalid
		}
		numbers = append(numbers, int64(n)) //nolint:gosec // negative numbers were written as unsigned ones
		if end == len(rest) {
			return numbers, nil
		}
		rest = rest[end+1:]
		a = append(room[:0], a...)
		c.reorder(a, lottery)
	}
}

// digits reads a number of 64 bits in the base of the alphabet a.
func digits(s string, a []byte) (uint64, bool) {
	var n uint64
	for i := range len(s) {
		d := bytes.IndexByte(a, s[i])
		hi, lo := bits.Mul64(n, uint64(len(a)))
		sum, carry := bits.Add64(lo, uint64(max(d, 0)), 0)
		if d < 0 || hi != 0 || carry != 0 {
			return 0, false
		}
		n = sum
	}
	return n, len(s) > 0
}

// reorder shuffles the alphabet a in place for the next number: by the lottery character, the salt and a itself.
func (c *Codec) reorder(a []byte, lottery byte) {
	var room [256]byte
	key := append(append(append(room[:0], lottery), c.salt...), a...)
	shuffle(a, key[:len(a)])
}

// split divides the alphabet into letters, separators and guards.
func (c *Codec) split(letters []byte) {
	for i := range len(separators) {
		if at := bytes.IndexByte(letters, separators[i]); at >= 0 {
			c.seps = append(c.seps, separators[i])
			letters = append(letters[:at], letters[at+1:]...)
		}
	}
	shuffle(c.seps, c.salt)
	if len(c.seps) == 0 || float64(len(letters))/float64(len(c.seps)) > lettersPerSep {
		want := max((2*len(letters)+6)/7, 2) // letters ÷ 3.5, rounded up
		if more := want - len(c.seps); more > 0 {
			c.seps = append(c.seps, letters[:more]...)
			letters = letters[more:]
		} else {
			c.seps = c.seps[:want]
		}
	}
	letters = append([]byte(nil), letters...)
	shuffle(letters, c.salt)
	gates := (len(letters) + lettersPerGate - 1) / lettersPerGate
	if len(letters) < 3 {
		c.guards, c.seps, c.letters = c.seps[:gates], c.seps[gates:], letters
		return
	}
	c.guards, c.letters = letters[:gates], letters[gates:]
}

// shuffle is the algorithm's consistent shuffle; an empty key changes nothing.
func shuffle(a, key []byte) {
	if len(key) == 0 {
		return
	}
	for i, v, p := len(a)-1, 0, 0; i > 0; i, v = i-1, v+1 {
		if v == len(key) {
			v = 0
		}
		k := int(key[v])
		p += k
		j := (k + v + p) % i
		a[i], a[j] = a[j], a[i]
	}
}

// distinct returns the different characters of an alphabet in their order.
func distinct(alphabet string) ([]byte, error) {
	if !ascii(alphabet) {
		return nil, fmt.Errorf("%w: %q", ErrAlphabet, alphabet)
	}
	var out []byte
	for i := range len(alphabet) {
		if ch := alphabet[i]; bytes.IndexByte(out, ch) < 0 {
			out = append(out, ch)
		}
	}
	if len(out) < minAlphabet || strings.ContainsAny(alphabet, " \t\r\n\v\f") {
		return nil, fmt.Errorf("%w: %q", ErrAlphabet, alphabet)
	}
	return out, nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 128 {
			return false
		}
	}
	return true
}
