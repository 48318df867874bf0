package main

import (
	"math"
	"math/rand/v2"
	"strings"
)

// vocabulary is how many made-up words texts are made of. A text of 60 words meets them by Zipf's law: the word of rank r
// with a probability of about 1/r, as in a natural language.
const vocabulary = 36_000

// Words that stand in a known share of the documents, and nowhere else.
const (
	wordFifth = "gazette" // 20 %
	wordTenth = "ledger"  // 10 %
)

// lexicon returns made-up words that can be spoken, the same in every run: syllables of English, one in the most frequent
// words and up to four in the rest, and the endings that a stemmer takes away.
func lexicon() []string {
	onsets := strings.Fields("b bl br c ch cl cr d dr f fl fr g gl gr h j k kn l m n p ph pl pr qu r s sc sh sk sl sm sp st str t th tr v w wh z")
	nuclei := strings.Fields("a e i o u ai au ea ee ie oa oo ou")
	codas := strings.Fields("b ck d f g l ll m n nd ng nt p r rd rk rn rt s ss st t th x")
	endings := strings.Fields("s ed ing ly er tion ment ness able")
	r := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // made-up text
	seen := map[string]bool{wordFifth: true, wordTenth: true}
	words := make([]string, 0, vocabulary)
	for len(words) < vocabulary {
		syllables := 1 + min(3, int(math.Log10(float64(len(words)+10)))*(1+r.IntN(2))/2)
		var b strings.Builder
		for s := range syllables {
			b.WriteString(onsets[r.IntN(len(onsets))] + nuclei[r.IntN(len(nuclei))])
			if s == syllables-1 || r.IntN(3) == 0 {
				b.WriteString(codas[r.IntN(len(codas))])
			}
		}
		if len(words) > 500 && r.IntN(4) == 0 {
			b.WriteString(endings[r.IntN(len(endings))])
		}
		if w := b.String(); !seen[w] && len(w) > 2 {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

// pick returns the rank of a word, from 0.
func pick(r *rand.Rand, words int) int {
	return min(words-1, int(math.Exp(r.Float64()*math.Log(float64(words)+1)))-1)
}

// misspelt is a word with one typo, another one for each n: neighbours swapped, a letter left out, doubled or changed.
func misspelt(word string, n int) string {
	i := 1 + n%(len(word)-2)
	switch n / 7 % 4 {
	case 0:
		return word[:i] + word[i+1:i+2] + word[i:i+1] + word[i+2:]
	case 1:
		return word[:i] + word[i+1:]
	case 2:
		return word[:i+1] + word[i:]
	default:
		return word[:i] + "e" + word[i+1:]
	}
}

// misheard is a word written otherwise with the same sound.
func misheard(word string) string {
	return strings.NewReplacer("ph", "f", "ck", "k", "ee", "ea", "ea", "ee", "ai", "ay", "ll", "l", "ss", "s", "oo", "ou", "i", "y").Replace(word)
}
