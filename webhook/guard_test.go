package webhook_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/webhook"
)

func TestPublic(t *testing.T) {
	t.Parallel()

	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "93.184.215.14", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "192.167.1.1", "169.253.1.1", "223.255.255.254",
		"2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:4860::8888",
	} {
		require.True(t, webhook.Public(netip.MustParseAddr(text)), text)
	}
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.0.1",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::8.8.8.8",
	} {
		require.False(t, webhook.Public(netip.MustParseAddr(text)), text)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()

	for _, url := range []string{
		"https://example.com", "http://example.com/a?b=c%20d", "https://example.com:8443/hook", "http://1.1.1.1/", "https://[2606:4700:4700::1111]/", "https://bücher.example/",
		"https://example.com./", "https://a-b.example.com:443",
	} {
		require.NoError(t, webhook.Guard{}.CheckURL(url), url)
	}
	for _, url := range []string{
		"", "x", "ftp://x", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)", "//example.com/", "https://", "https:///path", "https:example.com", "http://exa mple.com/", "http://example.com/\n",
		"https://user@example.com/", "https://user:password@example.com/", "https://example.com/#x", "https://example.com/#", "https://example.com:0/", "https://example.com:65536/", "https://example.com:x/",
		"https://example.com:22/", "https://example.com:25/", "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/", "http://0x7f000001/", "http://017700000001/", "http://10.1.2.3/",
		"http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25eth0]/", "http://localhost/", "http://LOCALHOST:3000/", "http://a.localhost/", "http://localhost./",
		"http://db.internal/", "http://printer.local/", "http://0/", "http://0.0.0.0/", "https://example.com/" + strings.Repeat("a", 2048), "https://%zz/", "https://a.b.1/",
	} {
		err := webhook.Guard{}.CheckURL(url)
		require.True(t, errs.Is(err, errs.Validation), url)
		require.Equal(t, "url", errs.From(err).Field, url)
	}
	require.NoError(t, open.CheckURL("http://127.0.0.1:22/"))
	require.Error(t, open.CheckURL("ftp://127.0.0.1/"))
	require.Error(t, open.CheckURL("http://user@127.0.0.1/"))
}

func FuzzCheckURL(f *testing.F) {
	f.Add("http://127.0.0.1/")
	f.Fuzz(func(_ *testing.T, text string) { _ = webhook.Guard{}.CheckURL(text) })
}
