// Package cursor is how far a reader of a stream of events has come, as a value and as the text that clients keep.
//
// A position is a snapshot of the database, not a number: "everything that this snapshot sees". It can neither skip a
// late commit nor wait for an unrelated transaction; docs/decisions/0001-realtime-cursor.md tells why.
package cursor

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

// Limits of what Parse accepts. A server has at most that many transactions in progress.
const (
	maxText = 64 << 10
	maxOpen = 10_000
)

// version is the first byte of every cursor.
const version = 1

// ErrInvalid is what Parse returns for a text that is no cursor of the stream.
var ErrInvalid = errors.New("not a cursor of this stream")

// Snapshot is what a reader saw: every transaction before Max except the Open ones. The zero value is no snapshot.
type Snapshot struct {
	Max  uint64   // the first transaction that was not over
	Open []uint64 // transactions in progress below Max, ascending
}

// ParseSnapshot reads PostgreSQL's text form, min:max:open,open,… It returns ErrInvalid for anything else.
func ParseSnapshot(text string) (Snapshot, error) {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 {
		return Snapshot{}, ErrInvalid
	}
	lowest, err1 := strconv.ParseUint(parts[0], 10, 64)
	highest, err2 := strconv.ParseUint(parts[1], 10, 64)
	if err1 != nil || err2 != nil {
		return Snapshot{}, ErrInvalid
	}
	s := Snapshot{Max: highest}
	if parts[2] != "" {
		for x := range strings.SplitSeq(parts[2], ",") {
			n, err := strconv.ParseUint(x, 10, 64)
			if err != nil {
				return Snapshot{}, ErrInvalid
			}
			s.Open = append(s.Open, n)
		}
	}
	if !s.valid() || lowest == 0 || lowest > s.lowest() {
		return Snapshot{}, ErrInvalid
	}
	return s, nil
}

// IsZero reports whether s is no snapshot.
func (s Snapshot) IsZero() bool { return s.Max == 0 }

// Equal reports whether both see the same.
func (s Snapshot) Equal(o Snapshot) bool { return s.Max == o.Max && slices.Equal(s.Open, o.Open) }

// String returns PostgreSQL's text form, "" for the zero value.
func (s Snapshot) String() string {
	if s.IsZero() {
		return ""
	}
	b := strconv.AppendUint(nil, s.lowest(), 10)
	b = append(b, ':')
	b = strconv.AppendUint(b, s.Max, 10)
	b = append(b, ':')
	for i, x := range s.Open {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, x, 10)
	}
	return string(b)
}

// lowest returns the first transaction that was in progress, or Max.
func (s Snapshot) lowest() uint64 {
	if len(s.Open) > 0 {
		return s.Open[0]
	}
	return s.Max
}

// valid reports what PostgreSQL demands of a snapshot.
func (s Snapshot) valid() bool {
	if s.Max == 0 || s.Max > 1<<63 || len(s.Open) > maxOpen {
		return false
	}
	last := uint64(0)
	for _, x := range s.Open {
		if x <= last || x >= s.Max {
			return false
		}
		last = x
	}
	return true
}

// append writes Max, the number of open transactions and, downwards from Max, the distance to each of them.
func (s Snapshot) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.Max)
	b = binary.AppendUvarint(b, uint64(len(s.Open)))
	last := s.Max
	for _, x := range slices.Backward(s.Open) {
		b = binary.AppendUvarint(b, last-x)
		last = x
	}
	return b
}

// Position is how far a reader has come in a stream.
//
// Between batches it is a snapshot. Within a batch, which is what became visible between Seen and Until, it is also the id
// of the last event: events of a batch go by id.
type Position struct {
	Epoch int32    // the life of the database in which the snapshots mean something
	Seen  Snapshot // everything visible here has been read
	Until Snapshot // the end of the batch; zero when it has not begun
	ID    int64    // of the last event that was read in the batch
}

// To returns the position from which a reader gets exactly what it has not read of what s sees. It must stand between
// batches.
func (p Position) To(s Snapshot) Position {
	p.Until, p.ID = s, 0
	return p
}

// Done returns the position at the end of the batch.
func (p Position) Done() Position { return Position{Epoch: p.Epoch, Seen: p.Until} }

// Encode returns the text of a position for clients: opaque, safe in a URL, about 20 characters while no other
// transaction is in progress. The stream's name goes into its checksum.
func (p Position) Encode(stream string) string {
	return NewEncoder(stream, p).Encode(p.ID)
}

// Encoder writes the cursors of the events of one batch, which differ in their ids only.
type Encoder struct {
	prefix []byte
	inside bool
	sum    uint32
}

// NewEncoder returns an Encoder for the batch of p.
func NewEncoder(stream string, p Position) Encoder {
	b := make([]byte, 5, 32)
	b[0] = version
	binary.BigEndian.PutUint32(b[1:], uint32(p.Epoch)) //nolint:gosec // the same 32 bits
	b = p.Seen.append(b)
	inside := !p.Until.IsZero()
	if inside {
		b = p.Until.append(b)
	}
	return Encoder{prefix: b, inside: inside, sum: crc32.ChecksumIEEE([]byte(stream))}
}

// Encode returns the cursor after the event with the id.
func (e Encoder) Encode(id int64) string {
	b := make([]byte, 0, len(e.prefix)+14)
	b = append(b, e.prefix...)
	if e.inside {
		b = binary.AppendUvarint(b, uint64(id)) //nolint:gosec // ids are not negative
	}
	b = binary.BigEndian.AppendUint32(b, crc32.Update(e.sum, crc32.IEEETable, b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// Parse reads what Encode wrote for the same stream. It returns an error that is ErrInvalid for anything else.
func Parse(stream, text string) (Position, error) {
	if len(text) > maxText {
		return Position{}, fmt.Errorf("%w: too long", ErrInvalid)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < 9 || raw[0] != version {
		return Position{}, ErrInvalid
	}
	body, sum := raw[:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.Update(crc32.ChecksumIEEE([]byte(stream)), crc32.IEEETable, body) != sum {
		return Position{}, fmt.Errorf("%w: checksum", ErrInvalid)
	}
	r := reader{b: body[5:]}
	p := Position{Epoch: int32(binary.BigEndian.Uint32(body[1:5]))} //nolint:gosec // the same 32 bits
	p.Seen = r.snapshot()
	if len(r.b) > 0 {
		p.Until = r.snapshot()
		id := r.uvarint()
		r.bad = r.bad || id > 1<<62 || p.Until.Max < p.Seen.Max
		p.ID = int64(id) //nolint:gosec // checked above
	}
	if r.bad || len(r.b) > 0 {
		return Position{}, ErrInvalid
	}
	return p, nil
}

// reader takes numbers from the front of b until one is bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		r.b = nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) snapshot() Snapshot {
	s := Snapshot{Max: r.uvarint()}
	n := r.uvarint()
	if r.bad || n > maxOpen || n > uint64(len(r.b)) {
		r.bad = true
		return Snapshot{}
	}
	last := s.Max
	for range n {
		d := r.uvarint()
		if d == 0 || d >= last {
			r.bad = true
			return Snapshot{}
		}
		last -= d
		s.Open = append(s.Open, last)
	}
	slices.Reverse(s.Open)
	r.bad = r.bad || !s.valid()
	return s
}

// Page is a part of what a reader gets from a position.
type Page[E any] struct {
	Events []E
	Next   Position // where to go on
	More   bool     // the batch is not at its end
	Lost   bool     // the position cannot be continued: there are no events, and Next is the present
}
