package app

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"stackforge/repo/file"
	"stackforge/storage"
)

// sniffed is how many bytes of a file decide its type.
const sniffed = 512

const (
	anyBytes = "application/octet-stream"
	plain    = "text/plain"
)

// detectType returns the type of a file from its first bytes. What was declared counts where the bytes leave it open: a CSV is plain
// text to them, an office document a ZIP.
func detectType(head []byte, declared string) string {
	declared = declaredType(declared)
	if t := executableType(head); t != "" {
		return t
	}
	found, _, _ := strings.Cut(http.DetectContentType(head), ";")
	main, _, _ := strings.Cut(declared, "/")
	switch {
	case len(head) == 0:
		return declared
	case (found == plain || found == "text/xml") && bytes.Contains(bytes.ToLower(head), []byte("<svg")):
		return "image/svg+xml"
	case found == plain && isText(declared), found == "text/xml" && isXML(declared), found == "application/zip" && isZip(declared),
		found == anyBytes && !isRecognised(declared):
		return declared
	case (main == "audio" || main == "video") && (found == "application/ogg" || strings.HasPrefix(found, "audio/") || strings.HasPrefix(found, "video/")):
		return declared // the same containers are used for both
	default:
		return found
	}
}

// declaredType is the type that a client tells, without parameters; anything when it is no type.
func declaredType(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil || len(t) > 127 || strings.Count(t, "/") != 1 {
		return anyBytes
	}
	return t
}

// executableType is the type of a program, "" for what is none.
func executableType(head []byte) string {
	for magic, t := range map[string]string{
		"MZ": "application/vnd.microsoft.portable-executable", "\x7fELF": "application/x-elf", "#!": "text/x-script",
		"\xcf\xfa\xed\xfe": "application/x-mach-binary", "\xce\xfa\xed\xfe": "application/x-mach-binary", "\xca\xfe\xba\xbe": "application/java-vm",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return t
		}
	}
	return ""
}

func isText(t string) bool {
	return strings.HasPrefix(t, "text/") || isXML(t) || strings.HasSuffix(t, "json") || slices.Contains([]string{
		"application/javascript", "application/sql", "application/toml", "application/x-ndjson", "application/yaml", "application/x-yaml",
		"application/x-sh", "application/rtf", "message/rfc822",
	}, t)
}

func isXML(t string) bool { return strings.HasSuffix(t, "+xml") || strings.HasSuffix(t, "/xml") }

func isZip(t string) bool {
	return strings.HasPrefix(t, "application/vnd.") || strings.HasSuffix(t, "+zip") || t == "application/java-archive" || t == "application/x-zip-compressed"
}

// isRecognised reports whether the bytes of a type would have shown it.
func isRecognised(t string) bool {
	return isText(t) || isZip(t) && !strings.HasPrefix(t, "application/vnd.") || slices.Contains([]string{
		"application/gzip", "application/pdf", "application/zip", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp",
	}, t)
}

// servedType is what a download is called. Types that a browser runs or shows with scripts are only bytes to it.
func servedType(t string) string {
	main, _, _ := strings.Cut(t, "/")
	switch {
	case isXML(t):
		return anyBytes
	case main == "image", main == "audio", main == "video", main == "font":
		return t
	case slices.Contains([]string{plain, "text/csv", "text/markdown", "application/json", "application/geo+json", "application/x-ndjson", "application/pdf", "application/zip", "application/gzip"}, t),
		strings.HasPrefix(t, "application/vnd.o"): // office documents
		return t
	default:
		return anyBytes
	}
}

// ServedType is the type under which a file is downloaded.
func ServedType(rec file.File) string { return servedType(rec.ContentType) }

// Disposition makes a browser save a file under its name, in the form of RFC 6266.
func Disposition(rec file.File) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%/`, r) {
			return '_'
		}
		return r
	}, rec.Filename)
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(rec.Filename), "+", "%20")
}

func servedAs(rec file.File) storage.Object {
	return storage.Object{ContentType: ServedType(rec), ContentDisposition: Disposition(rec)}
}

func storageObject() storage.Object { return storage.Object{ContentType: anyBytes} }

// maxFilename is the longest name, in bytes, as file systems have it.
const maxFilename = 255

// cleanFilename returns the last part of a path without what is invisible, turns text round or is not text; "file" when nothing is
// left. A long name keeps its extension.
func cleanFilename(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = norm.NFC.String(strings.ToValidUTF8(s, "_"))
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) || unicode.In(r, unicode.Bidi_Control, unicode.Cf) {
			return -1
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimRight(strings.TrimSpace(s), ". ")
	if strings.Trim(s, ".") == "" {
		return "file"
	}
	if len(s) <= maxFilename {
		return s
	}
	ext := path.Ext(s)
	if len(ext) > 20 {
		ext = ""
	}
	stem := s[:maxFilename-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}
