package app

import (
	"context"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Local makes vectors without any service, by feature hashing: each word, each pair of neighbours and each piece of 3 to
// 5 characters of a word is hashed to one of 1,536 places with a sign, weighted by 1 + ln of how often it occurs, and
// the whole is scaled to length 1. Words of the first line (a document's title) count three times.
//
// It finds texts that share words and parts of words, in any language, whatever the case and the accents. It knows
// nothing of meaning: "car" and "automobile" are strangers to it, and it has no statistics of a corpus, so frequent words
// weigh as much as rare ones. Use OpenAI with a real model for that.
type Local struct{}

// What a feature weighs against a word.
const (
	pairWeight  = 0.5
	gramWeight  = 0.3
	shortWeight = 0.4 // words of up to three letters, which are mostly grammar
	titleCount  = 3
	maxWord     = 64 // runes; the rest of a longer word is left out
)

// Model returns "local-hash-v1". A change of the vectors changes the name.
func (Local) Model() string { return "local-hash-v1" }

// Embed returns the vectors. It fails only when ctx has ended.
func (Local) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[i] = hashText(t)
	}
	return out, nil
}

// feature is a class of features ('w' word, 'p' pair, 'g' piece) and its text.
type feature struct {
	class byte
	text  string
}

func hashText(t string) []float32 {
	counts := map[feature]float64{}
	title, body, _ := strings.Cut(fold(t), "\n")
	count(counts, title, titleCount)
	count(counts, body, 1)
	if len(counts) == 0 { // no letter, no digit: the text itself is all there is
		counts[feature{'w', strings.TrimSpace(t)}] = 1
	}
	// Sums of floating-point numbers depend on their order, and the order of a map is random.
	features := make([]feature, 0, len(counts))
	for f := range counts {
		features = append(features, f)
	}
	slices.SortFunc(features, func(a, b feature) int {
		if a.class != b.class {
			return int(a.class) - int(b.class)
		}
		return strings.Compare(a.text, b.text)
	})
	sums := make([]float64, Dimensions)
	for _, f := range features {
		h := hash(f)
		weight := f.weight() * (1 + math.Log(counts[f]))
		if h>>63 == 1 {
			weight = -weight
		}
		sums[h%Dimensions] += weight
	}
	return unit(sums)
}

func (f feature) weight() float64 {
	switch {
	case f.class == 'p':
		return pairWeight
	case f.class == 'g':
		return gramWeight
	case len([]rune(f.text)) <= 3:
		return shortWeight
	default:
		return 1
	}
}

// fold removes accents and case.
func fold(t string) string {
	return cases.Fold().String(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(t)))
}

// count adds the features of a folded text, each n times.
func count(counts map[feature]float64, t string, n float64) {
	last := ""
	for word := range strings.FieldsFuncSeq(t, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		runes := []rune(word)
		if len(runes) > maxWord {
			runes = runes[:maxWord]
			word = string(runes)
		}
		counts[feature{'w', word}] += n
		if last != "" {
			counts[feature{'p', last + " " + word}] += n
		}
		last = word
		// The ends of a word are marked, so that a prefix differs from the same letters inside.
		marked := append(append([]rune{'<'}, runes...), '>')
		for size := 3; size <= 5; size++ {
			for i := 0; i+size <= len(marked); i++ {
				counts[feature{'g', string(marked[i : i+size])}] += n
			}
		}
	}
}

// hash is FNV-1a, mixed once more because its high bits alone are poor in short texts.
func hash(f feature) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte{f.class}) // a hash takes everything
	_, _ = h.Write([]byte(f.text))
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit scales a vector to length 1. Features that cancel each other out to nothing leave the first axis.
func unit(sums []float64) []float32 {
	length := 0.0
	for _, v := range sums {
		length += v * v
	}
	out := make([]float32, len(sums))
	if length == 0 {
		out[0] = 1
		return out
	}
	length = math.Sqrt(length)
	for i, v := range sums {
		out[i] = float32(v / length)
	}
	return out
}
