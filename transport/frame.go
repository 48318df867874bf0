package transport

// Frame opcodes of RFC 6455 that we write.
const (
	opText = 0x1
	opPing = 0x9
	opPong = 0xA
)

// appendHeader appends the header of an unfragmented server frame.
func appendHeader(buf []byte, opcode byte, length int) []byte {
	buf = append(buf, 0x80|opcode)
	switch {
	case length < 126:
		return append(buf, byte(length)) //nolint:gosec // below 126
	case length < 1<<16:
		return append(buf, 126, byte(length>>8), byte(length)) //nolint:gosec // two bytes are meant
	}
	return append(buf, 127, 0, 0, 0, 0, byte(length>>24), byte(length>>16), byte(length>>8), byte(length)) //nolint:gosec // four bytes are meant
}
