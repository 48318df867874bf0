package operator

import (
	"strings"
	"unicode/utf8"

	"stackforge/errs"
)

const maxStatement = 20_000

// statement returns a text that is one statement which reads or changes rows, without a semicolon at its end. It is
// errs.Validation on query otherwise. The server's protocol refuses a second statement, too; this tells better.
func statement(text string) (string, error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || utf8.RuneCountInString(text) > maxStatement {
		return "", errs.Field("query", "A statement is text of at most 20,000 characters.")
	}
	word, end := "", -1
	for i := 0; i < len(text); {
		n := skip(text[i:])
		switch c := text[i]; {
		case n > 0 && end >= 0 && !isComment(text[i:]):
			return "", errs.Field("query", "Give one statement.")
		case n > 0:
			i += n
			continue
		case c == ';':
			if end < 0 {
				end = i
			}
		case c <= ' ':
		case end >= 0:
			return "", errs.Field("query", "Give one statement.")
		case word == "" && c != '(':
			word = strings.ToLower(firstWord(text[i:]))
		}
		i++
	}
	switch word {
	case "select", "with", "insert", "update", "delete", "merge", "values", "table":
	default:
		return "", errs.Field("query", "Only SELECT, INSERT, UPDATE, DELETE and MERGE can be advised on.")
	}
	if end >= 0 {
		text = text[:end]
	}
	return text, nil
}

func firstWord(s string) string {
	i := strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if i < 0 {
		return s
	}
	return s[:i]
}

func isComment(s string) bool { return strings.HasPrefix(s, "--") || strings.HasPrefix(s, "/*") }

// skip returns the length of the comment or the quoted text that a text begins with; 0 when it begins with neither. What is not
// closed reaches to the end.
func skip(s string) int {
	switch {
	case strings.HasPrefix(s, "--"):
		return until(s, 2, "\n")
	case strings.HasPrefix(s, "/*"):
		return until(s, 2, "*/") // comments within comments end early here, and the server refuses the rest
	case s[0] == '\'':
		return quoted(s, '\'')
	case s[0] == '"':
		return quoted(s, '"')
	case s[0] == '$':
		return dollar(s)
	}
	return 0
}

func until(s string, from int, mark string) int {
	if i := strings.Index(s[from:], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(s)
}

// quoted goes to the closing sign; a doubled one stands for itself. Where a backslash counts (E'…'), the server judges.
func quoted(s string, mark byte) int {
	for i := 1; i < len(s); i++ {
		if s[i] == mark {
			if i+1 < len(s) && s[i+1] == mark {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(s)
}

func dollar(s string) int {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '$':
			return until(s, i+1, s[:i+1])
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 1 && c >= '0' && c <= '9':
		default:
			return 0 // $1
		}
	}
	return 0
}
