package config

import (
	"fmt"
	"strings"
)

// parseDotenv reads the text of a .env file: NAME=value lines, with or without `export`. Values may stand in single
// quotes (as they are) or in double quotes (with \n, \r, \t, \" and \\); without quotes they end at " #". There is no
// expansion of $NAME. Of two lines with one name the last counts, as in a shell. Problems name the line, never the value.
func parseDotenv(text string) (values map[string]string, problems []string) {
	values = map[string]string{}
	text = strings.TrimPrefix(text, "\uFEFF")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, found := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		if !found || !isName(name) {
			problems = append(problems, fmt.Sprintf(".env line %d: must be NAME=value, with letters, digits and _ in the name", i+1))
			continue
		}
		value, ok := dotenvValue(strings.TrimSpace(rest))
		if !ok {
			problems = append(problems, fmt.Sprintf(".env line %d: %s must end with the quote it starts with", i+1, name))
			continue
		}
		values[name] = value
	}
	return values, problems
}

func dotenvValue(s string) (string, bool) {
	if s == "" || (s[0] != '\'' && s[0] != '"') {
		if strings.HasPrefix(s, "#") {
			return "", true
		}
		for _, mark := range []string{" #", "\t#"} {
			s, _, _ = strings.Cut(s, mark)
		}
		return strings.TrimSpace(s), true
	}
	var out strings.Builder
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			after := strings.TrimSpace(s[i+1:])
			return out.String(), after == "" || after[0] == '#'
		case s[i] == '\\' && quote == '"' && i+1 < len(s):
			i++
			out.WriteString(unescape(s[i]))
		default:
			out.WriteByte(s[i])
		}
	}
	return "", false
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case '"', '\\':
		return string(c)
	default:
		return `\` + string(c)
	}
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
