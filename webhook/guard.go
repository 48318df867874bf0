package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"stackforge/errs"
)

// Guard keeps deliveries away from the inside: a tenant chooses the URL, so it must not lead to what only our own machines
// can reach. CheckURL tells early what can be seen from the text; Control has the last word at every connection, on the
// address that the name has led to, so that no answer of a name server and no redirect gets around it.
type Guard struct {
	AllowPrivate bool // for development: any address and port
}

// blockedError is why a connection was refused by the guard.
type blockedError struct{ addr netip.AddrPort }

func (e blockedError) Error() string { return "the address " + e.addr.String() + " is not allowed" }

// CheckURL says whether an endpoint may have this URL. It is errs.Validation naming url.
func (g Guard) CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > 2048:
		return errs.Field("url", "This has more than 2,048 characters.")
	case err != nil || u.Opaque != "" || u.Hostname() == "" || strings.ContainsAny(text, " \t\r\n\x00"):
		return errs.Field("url", "This is not a URL.")
	case u.Scheme != "http" && u.Scheme != "https":
		return errs.Field("url", "This must be an http or https URL.")
	case u.User != nil:
		return errs.Field("url", "A URL with a user or password is not allowed.")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return errs.Field("url", "A URL with a fragment is not allowed.")
	}
	port, err := portOf(u)
	if err != nil {
		return errs.Field("url", "This is not a port.")
	}
	if g.AllowPrivate {
		return nil
	}
	if !allowedPort(port) {
		return errs.Field("url", "This port is not allowed: it must be 80, 443, or 1024 and above.")
	}
	if !publicHost(u.Hostname()) {
		return errs.Field("url", "This address is not a public one.")
	}
	return nil
}

func portOf(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		if u.Scheme == "https" {
			return 443, nil
		}
		return 80, nil
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err == nil && n == 0 {
		return 0, errors.New("port 0")
	}
	return uint16(n), err
}

// allowedPort leaves out the ports of mail, remote shells, name servers and the like.
func allowedPort(port uint16) bool { return port == 80 || port == 443 || port >= 1024 }

// publicHost judges what can be judged without asking a name server: literal addresses, in whatever way a resolver
// may read them, and names that never lead outside.
func publicHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return Public(addr)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	last := name[strings.LastIndexByte(name, '.')+1:]
	// 127.1, 0x7f.1 and 2130706433 are addresses to some resolvers: no name ends in a number.
	if last == "" || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return false
	}
	for _, inside := range []string{"localhost", "local", "internal", "localdomain", "home.arpa"} {
		if name == inside || strings.HasSuffix(name, "."+inside) {
			return false
		}
	}
	return true
}

// Control judges the address of a connection that is about to be made; it is a net.Dialer's.
func (g Guard) Control(network, address string, _ syscall.RawConn) error {
	if g.AllowPrivate {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address of a %s connection: %w", network, err)
	}
	if !Public(to.Addr()) || !allowedPort(to.Port()) {
		return blockedError{to}
	}
	return nil
}

// blocked are the ranges that are no hosts of the public internet, beside those that netip knows by name
// (IANA's special-purpose registries).
func blocked() []netip.Prefix {
	texts := []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
		"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
	}
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Public reports whether an address is one of the public internet. An IPv4 address that is written within an IPv6 one counts
// as what it leads to.
func Public(addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap()
	if addr.Is6() {
		nat64 := netip.MustParsePrefix("64:ff9b::/96")
		if b := addr.As16(); nat64.Contains(addr) {
			return Public(netip.AddrFrom4([4]byte(b[12:])))
		}
		if !netip.MustParsePrefix("2000::/3").Contains(addr) {
			return false
		}
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.IsLoopback() || addr.IsMulticast() || addr.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range blocked() {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}
