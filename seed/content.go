package seed

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"path"
	"strings"

	"github.com/brianvoe/gofakeit/v7"
	"github.com/google/uuid"
)

// Content returns the bytes of a file of this package: always the same for a name, and of the type that the extension tells, so that
// they open in what opens such files.
func Content(filename string) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(filename)) // never fails
	f := gofakeit.NewFaker(rand.NewPCG(Seed, h.Sum64()), false)
	switch path.Ext(filename) {
	case ".csv":
		return []byte(csvText(f))
	case ".geojson":
		return []byte(routeText(f))
	case ".pdf":
		return pdfBytes(f.HackerPhrase(), f.HackerPhrase(), f.HackerPhrase())
	case ".png":
		return pngBytes(f)
	case ".zip":
		return zipBytes(strings.TrimSuffix(filename, ".zip")+".txt", logText(f))
	default:
		return []byte(logText(f))
	}
}

func logText(f *gofakeit.Faker) string {
	var b strings.Builder
	for i := range f.IntRange(5, 40) {
		fmt.Fprintf(&b, "%04d %s %s\n", i+1, f.HackerVerb(), f.HackerPhrase())
	}
	return b.String()
}

func csvText(f *gofakeit.Faker) string {
	var b strings.Builder
	b.WriteString("name,city,amount\n")
	for range f.IntRange(5, 60) {
		fmt.Fprintf(&b, "%s,%s,%d\n", f.LastName(), f.City(), f.IntRange(100, 9999))
	}
	return b.String()
}

func routeText(f *gofakeit.Faker) string {
	var points []string
	for range f.IntRange(5, 40) {
		points = append(points, fmt.Sprintf("[-122.%04d,37.%04d]", f.IntRange(3800, 4900), f.IntRange(7000, 8000)))
	}
	return `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"route":1},"geometry":{"type":"LineString","coordinates":[` +
		strings.Join(points, ",") + `]}}]}` + "\n"
}

// pdfBytes is a page with a few lines.
func pdfBytes(lines ...string) []byte {
	var text strings.Builder
	text.WriteString("BT /F1 12 Tf 72 720 Td")
	for _, l := range lines {
		fmt.Fprintf(&text, " (%s) Tj 0 -18 Td", strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(l))
	}
	text.WriteString(" ET")
	var b bytes.Buffer
	var at []int
	b.WriteString("%PDF-1.4\n")
	for i, body := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", text.Len(), text.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	} {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, body)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}

func pngBytes(f *gofakeit.Faker) []byte {
	from, to := f.IntRange(0, 255), f.IntRange(0, 255)
	m := image.NewGray(image.Rect(0, 0, 16, 16))
	for y := range 16 {
		for x := range 16 {
			m.SetGray(x, y, color.Gray{Y: uint8((from*(15-x) + to*y) / 30)}) //nolint:gosec // at most 255
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m) // never fails into memory
	return b.Bytes()
}

func zipBytes(name, text string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if w, err := z.Create(name); err == nil {
		_, _ = w.Write([]byte(text)) // never fails into memory
	}
	_ = z.Close()
	return b.Bytes()
}

// stored completes a file by what follows from its name, tenant, id and time.
func (f File) stored() File {
	content := Content(f.Filename)
	sum := sha256.Sum256(content)
	f.SizeBytes, f.Checksum = int64(len(content)), hex.EncodeToString(sum[:])
	f.StorageKey = fmt.Sprintf("tenants/%s/%s/%s", f.TenantID, f.CreatedAt.UTC().Format("2006/01"), f.ID)
	return f
}

// timedID is the fixed id of a generated file: in the form of uuid v7, whose time decides the partition.
func timedID(f File, n int) uuid.UUID {
	out := fakeID("file", f.TenantID, n)
	ms := f.CreatedAt.UnixMilli()
	for i := range 6 {
		out[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // the low byte is meant
	}
	out[6] = out[6]&0x0f | 0x70
	return out
}
