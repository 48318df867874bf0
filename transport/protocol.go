package transport

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// protocol is what differs between the two subprotocols.
type protocol struct {
	name      string
	subscribe string // client starts an operation
	complete  string // client ends an operation
	next      string // server sends an answer
	legacy    bool
	keepAlive string // message the server sends at every ping, "" for none
}

const (
	subprotocolNew = "graphql-transport-ws"
	subprotocolOld = "graphql-ws"
)

func protocolOf(name string) protocol {
	if name == subprotocolOld {
		return protocol{
			name: name, subscribe: "start", complete: "stop", next: "data", legacy: true, keepAlive: `{"type":"ka"}`,
		}
	}
	return protocol{name: name, subscribe: "subscribe", complete: "complete", next: "next"}
}

// Close codes of the protocols.
const (
	closeNormal       websocket.StatusCode = 1000
	closeGoingAway    websocket.StatusCode = 1001
	closeTooBig       websocket.StatusCode = 1009
	closeTryLater     websocket.StatusCode = 1013
	closeBadMessage   websocket.StatusCode = 4400
	closeUnauthorized websocket.StatusCode = 4401
	closeForbidden    websocket.StatusCode = 4403
	closeSubprotocol  websocket.StatusCode = 4406
	closeInitTimeout  websocket.StatusCode = 4408
	closeIDExists     websocket.StatusCode = 4409
	closeTwoInits     websocket.StatusCode = 4429
	closeInternal     websocket.StatusCode = 4500
)

// incoming is one message of a client.
type incoming struct {
	kind    string
	id      string
	hasID   bool
	payload string // JSON text, "" when absent or null
}

// maxID bounds the ids that clients choose; they are kept and repeated in every answer.
const maxID = 256

// parseMessage reads a message. Unknown members are ignored.
func parseMessage(text string) (incoming, error) {
	var m incoming
	if !utf8.ValidString(text) { // RFC 6455 asks for it
		return m, errors.New("the text is not valid UTF-8")
	}
	s := newScanner(text)
	err := s.object(func(key string) error { return m.member(s, key) })
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return m, err
	case m.kind == "":
		return m, errors.New("type is missing")
	case len(m.id) > maxID:
		return m, errors.New("id is longer than " + strconv.Itoa(maxID) + " bytes")
	}
	return m, nil
}

func (m *incoming) member(s *scanner, key string) (err error) {
	switch key {
	case "type":
		m.kind, err = optionalString(s, key)
	case "id":
		m.id, err = optionalString(s, key)
		m.hasID = m.id != ""
	case "payload":
		if m.payload, err = s.raw(); m.payload == "null" {
			m.payload = ""
		}
	default:
		err = s.skip()
	}
	return err
}

// object says whether the payload is an object.
func (m *incoming) object() bool { return m.payload != "" && m.payload[0] == '{' }

// head is the beginning of a message about an operation, up to its payload.
func head(id, kind string) string {
	buf := make([]byte, 0, len(id)+len(kind)+40)
	buf = append(buf, `{"id":`...)
	buf = appendString(buf, id)
	buf = append(buf, `,"type":"`...)
	buf = append(buf, kind...)
	buf = append(buf, `","payload":`...)
	return string(buf)
}

// completeText is the message that ends an operation.
func completeText(id string) string {
	buf := make([]byte, 0, len(id)+32)
	buf = append(buf, `{"id":`...)
	buf = appendString(buf, id)
	return string(append(buf, `,"type":"complete"}`...))
}

// appendString appends a JSON string; s is valid UTF-8.
func appendString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c < ' ':
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}
