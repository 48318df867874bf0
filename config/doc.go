package config

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Setting is one variable as people read it. Secrets are hidden.
type Setting struct {
	Group   string
	Name    string
	Value   string // as it would be written, "" when not set; a placeholder for a secret
	Default string // a value, or words
	Allowed string // completes "must be"
	Help    string
	Secret  bool // may also be given as Name + "_FILE"
}

// Settings returns every variable with its present value.
func (c Config) Settings() []Setting {
	var out []Setting
	for _, f := range fields(&c) {
		out = append(out, Setting{
			Group: f.group, Name: f.name, Value: f.text(), Default: f.defaultText(), Allowed: f.allowed(),
			Help: f.tag.Get("help"), Secret: f.secret(),
		})
	}
	return out
}

// text is the value as it would be written in a variable.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case time.Duration:
		return fmt.Sprint(int64(v / f.unit()))
	case bool:
		if v {
			return "on"
		}
		return "off"
	case []string:
		return strings.Join(v, ",")
	case string:
		if f.tag.Get("check") == "url" {
			return withoutSecrets(v)
		}
		return v
	default:
		return fmt.Sprint(v)
	}
}

// withoutSecrets drops the parts of a URL that may hold a password or a key.
func withoutSecrets(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return hidden
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func (f field) defaultText() string {
	if shown := f.tag.Get("shown"); shown != "" {
		return shown
	}
	text := f.tag.Get("default")
	if p := f.tag.Get("production"); p != "" {
		text += "; " + p + " in production"
	}
	return text
}

// WriteEnvExample writes .env.example: every variable with its sentence, and its default where that is one value. A
// copy of it changes nothing.
func WriteEnvExample(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Every variable, with its default. Copy this file to .env and change what you need; an empty value is the\n" +
		"# default, and variables of the environment win over this file. Made from config/config.go by `go generate ./config`.\n")
	group := ""
	for _, f := range fields(&Config{}) {
		if f.group != group {
			group = f.group
			fmt.Fprintf(&b, "\n# ---- %s ----\n", group)
		}
		b.WriteString("\n")
		text := f.tag.Get("help")
		if allowed := f.allowed(); allowed != anyText {
			text += " Must be " + allowed + "."
		}
		text += " Default: " + f.defaultText() + "."
		if f.secret() {
			text += " Or " + f.name + "_FILE: a file that holds it."
		}
		for _, line := range wrap(text, 116) {
			b.WriteString("# " + line + "\n")
		}
		value := f.tag.Get("default")
		if f.tag.Get("production") != "" {
			value = "" // it depends on APP_ENV
		}
		b.WriteString(f.name + "=" + value + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdown writes docs/configuration.md: the same as tables.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Made from config/config.go by "go generate ./config". Do not edit. -->

All settings are environment variables. They are read once, at the start; mistakes are reported all together, by name,
and stop the program.

- A file ` + "`.env`" + ` in the working directory is read too; a variable of the environment wins over it, even when it is empty.
- An empty value means the default.
- A switch is ` + "`on` or `off`" + ` (also ` + "`true`/`false`, `1`/`0`, `yes`/`no`" + `).
- A variable marked *secret* can be read from a file instead: set ` + "`NAME_FILE`" + ` to its path. One newline at the end of the file
  is dropped. Setting both in one place is a mistake. Secrets appear in no log, metric or error.
- In ` + "`.env`" + `, values may stand in single quotes (taken as they are) or double quotes (with ` + "`\\n`, `\\t`, `\\\"`, `\\\\`" + `); ` + "`$NAME`" + ` is not
  expanded. Names that the program does not know are reported as warnings.
`)
	group := ""
	for _, f := range fields(&Config{}) {
		if f.group != group {
			group = f.group
			fmt.Fprintf(&b, "\n## %s\n\n| Variable | Default | Allowed | Meaning |\n|---|---|---|---|\n", group)
		}
		name, value := "`"+f.name+"`", f.defaultText()
		if f.secret() {
			name += " (*secret*)"
		}
		if f.tag.Get("shown") == "" && f.tag.Get("production") == "" {
			value = "`" + value + "`"
		}
		help := strings.ReplaceAll(f.tag.Get("help"), "https://*.", "https://\\*.")
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, value, escapeCell(f.allowed()), escapeCell(help))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func escapeCell(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "single *", "single `*`").Replace(s)
}

// wrap breaks a text into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
