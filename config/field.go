package config

import (
	"fmt"
	"math"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is one setting: its tags and its place in a Config.
type field struct {
	name  string // of the variable
	group string // heading
	tag   reflect.StructTag
	value reflect.Value
}

// fields returns the settings in the order in which they are declared.
func fields(c *Config) []field {
	return collect(reflect.ValueOf(c).Elem(), "General")
}

func collect(v reflect.Value, group string) []field {
	var out []field
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		if g := sf.Tag.Get("group"); g != "" {
			out = append(out, collect(v.Field(i), g)...)
		} else if name := sf.Tag.Get("env"); name != "" {
			out = append(out, field{name: name, group: group, tag: sf.Tag, value: v.Field(i)})
		}
	}
	return out
}

func (f field) secret() bool { return f.value.Type() == reflect.TypeFor[Secret]() }

func (f field) fallback(appEnv string) string {
	if p := f.tag.Get("production"); p != "" && appEnv == Production {
		return p
	}
	return f.tag.Get("default")
}

// number is an int or int64 field, or a duration, which counts its unit.
func (f field) number() bool {
	k := f.value.Kind()
	return k == reflect.Int || k == reflect.Int64
}

func (f field) limits() (low, high int64) {
	low, high = 0, math.MaxInt64
	if n, err := strconv.ParseInt(f.tag.Get("min"), 10, 64); err == nil {
		low = n
	}
	if n, err := strconv.ParseInt(f.tag.Get("max"), 10, 64); err == nil {
		high = n
	}
	return low, high
}

// unit is what one of a duration's numbers lasts.
func (f field) unit() time.Duration {
	switch f.tag.Get("unit") {
	case "ms":
		return time.Millisecond
	case "minutes":
		return time.Minute
	case "hours":
		return time.Hour
	case "days":
		return 24 * time.Hour
	default:
		return 0
	}
}

// parse sets the field and reports whether the text is allowed.
func (f field) parse(text string) bool {
	switch {
	case f.number():
		n, err := strconv.ParseInt(text, 10, 64)
		low, high := f.limits()
		if err != nil || n < low || n > high {
			return false
		}
		if f.value.Type() == reflect.TypeFor[time.Duration]() {
			n *= int64(f.unit())
		}
		f.value.SetInt(n)
		return true
	case f.value.Kind() == reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		low, high := f.limits()
		f.value.SetFloat(x)
		return err == nil && x >= float64(low) && x <= float64(high)
	case f.value.Kind() == reflect.Bool:
		on, ok := parseSwitch(text)
		f.value.SetBool(on)
		return ok
	case f.value.Kind() == reflect.Slice:
		list := splitList(text)
		f.value.Set(reflect.ValueOf(list))
		if f.tag.Get("check") == "prefixes" {
			return isPrefixes(list)
		}
		return isOrigins(list)
	default:
		f.value.SetString(text)
		return f.fits(text)
	}
}

func (f field) fits(text string) bool {
	if enum := f.tag.Get("enum"); enum != "" {
		return slices.Contains(strings.Split(enum, "|"), text)
	}
	if strings.ContainsRune(text, 0) {
		return false
	}
	switch f.tag.Get("check") {
	case "addr":
		return isAddr(text)
	case "appname":
		return isAppName(text)
	case "dsn":
		return isDSN(text)
	case "email":
		_, err := mail.ParseAddress(text)
		return err == nil
	case "host":
		return isHost(text)
	case "ident":
		return identifier().MatchString(text)
	case "url":
		u, err := url.Parse(text)
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	default:
		return true
	}
}

// allowed says in words which values the field takes; it completes "must be".
func (f field) allowed() string {
	if enum := f.tag.Get("enum"); enum != "" {
		return orList(strings.Split(enum, "|"))
	}
	if f.number() {
		low, high := f.limits()
		text := "a whole number from " + strconv.FormatInt(low, 10) + " to " + strconv.FormatInt(high, 10)
		if unit := f.tag.Get("unit"); unit != "" {
			text += " (" + unit + ")"
		}
		return text
	}
	if f.value.Kind() == reflect.Float64 {
		low, high := f.limits()
		return fmt.Sprintf("a number from %d to %d", low, high)
	}
	if f.value.Kind() == reflect.Bool {
		return "on or off"
	}
	switch f.tag.Get("check") {
	case "addr":
		return "host:port or :port"
	case "appname":
		return "at most 63 printable ASCII characters"
	case "dsn":
		return "a postgres:// URL or a key=value connection string"
	case "email":
		return "a mail address"
	case "host":
		return "a host name or an IP address, without scheme and port"
	case "ident":
		return "a name of letters, digits and _, at most 63 long, not starting with a digit"
	case "origins":
		return "a list of origins such as https://app.example.com, without path, or a single *"
	case "prefixes":
		return "a list of IP addresses or networks such as 10.0.0.0/8"
	case "url":
		return "an http:// or https:// URL"
	default:
		return anyText
	}
}

// anyText is what a field without limits takes.
const anyText = "text"

func orList(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func parseSwitch(text string) (on, ok bool) {
	switch strings.ToLower(text) {
	case "on", "1", "true", "yes":
		return true, true
	case "off", "0", "false", "no":
		return false, true
	default:
		return false, false
	}
}

func splitList(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// isOrigins accepts scheme://host[:port] with at most one star in place of leading labels, or one star alone.
func isOrigins(list []string) bool {
	if len(list) == 1 && list[0] == "*" {
		return true
	}
	for _, o := range list {
		scheme, host, ok := strings.Cut(o, "://")
		host = strings.TrimPrefix(host, "*.")
		u, err := url.Parse(scheme + "://" + host)
		if !ok || err != nil || strings.Contains(host, "*") || scheme == "" || u.Hostname() == "" || u.Host != host {
			return false
		}
	}
	return true
}

// isPrefixes accepts IP addresses and networks.
func isPrefixes(list []string) bool {
	for _, p := range list {
		if _, err := ParsePrefix(p); err != nil {
			return false
		}
	}
	return true
}

// ParsePrefix reads a network, or an address as the network of it alone.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

func isAddr(text string) bool {
	host, port, err := net.SplitHostPort(text)
	n, perr := strconv.Atoi(port)
	return err == nil && perr == nil && n >= 0 && n <= 65535 && (host == "" || isHost(host))
}

func isHost(text string) bool {
	if net.ParseIP(strings.Trim(text, "[]")) != nil {
		return true
	}
	return len(text) <= 253 && hostname().MatchString(text)
}

func hostname() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)
}

func identifier() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`) }

func isAppName(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(text) <= 63
}

// isDSN looks at the form only; the driver reads the rest. A URL must name no fragment: an unescaped # in a password
// would silently cut it.
func isDSN(text string) bool {
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		u, err := url.Parse(text)
		return err == nil && u.Fragment == ""
	}
	key, _, ok := strings.Cut(text, "=")
	return ok && isName(strings.TrimSpace(key))
}
