package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// maxFile bounds .env and the files that hold secrets, in bytes.
const maxFile = 1 << 20

// InvalidError is every mistake of a configuration. Each sentence names the variable and what is allowed, and no value.
type InvalidError []string

// Error returns one line for each mistake.
func (e InvalidError) Error() string {
	return "the configuration is not valid:\n  " + strings.Join(e, "\n  ")
}

// Load returns the settings of environ (in the form of os.Environ) and of the .env file at the path dotenv, which may
// be missing; "" reads none. A variable of the environment wins over the file, even when it is empty. An empty value
// means the default. Secrets may come from a file instead: JWT_SECRET_FILE is the path of a file with JWT_SECRET; one
// newline at its end is dropped. The error is InvalidError, or that of reading dotenv.
func Load(environ []string, dotenv string) (Config, error) {
	l := loader{env: map[string]string{}}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			l.env[name] = value
		}
	}
	if err := l.readDotenv(dotenv); err != nil {
		return Config{}, err
	}
	var c Config
	for _, f := range fields(&c) {
		l.set(f, c.AppEnv)
	}
	c.Encryption.KeyFile = l.secretPath("PAYLOAD_ENCRYPTION_KEY")
	l.relations(&c)
	l.secrets(&c)
	l.strangers(&c)
	if len(l.invalid) > 0 {
		return Config{}, l.invalid
	}
	return c, nil
}

type loader struct {
	env     map[string]string
	file    map[string]string
	invalid InvalidError
}

func (l *loader) fail(format string, args ...any) {
	l.invalid = append(l.invalid, fmt.Sprintf(format, args...))
}

func (l *loader) readDotenv(path string) error {
	if path == "" {
		return nil
	}
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the .env file: %w", err)
	}
	values, problems := parseDotenv(text)
	l.file = values
	l.invalid = append(l.invalid, problems...)
	return nil
}

// set gives a field its value or its default. APP_ENV is the first field, so that appEnv is known for the others.
func (l *loader) set(f field, appEnv string) {
	text, where := l.lookup(f)
	if !f.secret() {
		text = strings.TrimSpace(text)
	}
	if text == "" {
		text = f.fallback(appEnv)
	}
	if text == "" {
		return
	}
	if !f.parse(text) {
		l.fail("%s (in %s) must be %s", f.name, where, f.allowed())
	}
}

// lookup returns the text of a variable and where it stands: in the environment, else in .env, and in each as NAME or,
// for secrets, as NAME_FILE.
func (l *loader) lookup(f field) (text, where string) {
	layers := []struct {
		values map[string]string
		name   string
	}{{l.env, "the environment"}, {l.file, ".env"}}
	for _, layer := range layers {
		text, given := layer.values[f.name]
		path := layer.values[f.name+"_FILE"]
		switch {
		case !f.secret() || path == "":
			if given {
				return text, layer.name
			}
		case text != "":
			l.fail("%s and %s_FILE are both set in %s; only one may be", f.name, f.name, layer.name)
			return "", layer.name
		default:
			return l.secretFile(f.name, path), "the file of " + f.name + "_FILE"
		}
	}
	return "", "the default"
}

// secretPath returns the file that a secret came from, "" when it did not.
func (l *loader) secretPath(name string) string {
	for _, values := range []map[string]string{l.env, l.file} {
		path := values[name+"_FILE"]
		if _, given := values[name]; given || path != "" {
			return path
		}
	}
	return ""
}

func (l *loader) secretFile(name, path string) string {
	text, err := readFile(path)
	if bad, ok := errors.AsType[*fs.PathError](err); ok {
		err = bad.Err // the path may be a secret that was put into the wrong variable
	}
	if err != nil {
		l.fail("%s_FILE must be the path of a file that can be read (%v)", name, err)
		return ""
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		l.fail("%s_FILE must be the path of a file that is not empty", name)
	}
	return text
}

// strangers warns of names in .env that no field has; the environment is full of other programs' names.
func (l *loader) strangers(c *Config) {
	var known []string
	for _, f := range fields(c) {
		known = append(known, f.name)
		if f.secret() {
			known = append(known, f.name+"_FILE")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.file)) {
		if slices.Contains(known, name) {
			continue
		}
		guess := ""
		if i := slices.IndexFunc(known, func(k string) bool { return distance(name, k) <= 2 }); i >= 0 {
			guess = "; is " + known[i] + " meant?"
		}
		c.Warnings = append(c.Warnings, name+" in .env is not a variable of this program"+guess)
	}
}

// distance is the number of letters to change, insert or delete that lead from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// readFile returns a file of at most maxFile bytes; it works for pipes too, as process substitution makes them.
func readFile(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	return string(text), err
}
