package main

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// Shapes of the made-up vectors. Those of real models lie near a surface of far fewer dimensions than they have numbers;
// points that fill all dimensions have no near neighbours, and no index could find them.
const (
	dimensions = 1536
	latent     = 32
	clusters   = 300
	benchModel = "bench"
)

// vectors makes unit vectors in clusters, the same in every run.
type vectors struct {
	brackets string // around the numbers in text: of pgvector's type, or of an array
	axes     [latent][dimensions]float32
	centres  [clusters][latent]float64
}

func newVectors(brackets string) *vectors {
	v := &vectors{brackets: brackets}
	r := rand.New(rand.NewPCG(13, 17)) //nolint:gosec // made-up vectors
	for i := range v.axes {
		for j := range v.axes[i] {
			v.axes[i][j] = float32(r.NormFloat64())
		}
	}
	for i := range v.centres {
		for j := range v.centres[i] {
			v.centres[i][j] = r.NormFloat64()
		}
	}
	return v
}

// document is the vector of document n.
func (v *vectors) document(n int) []float32 { return v.made(uint64(n), 1) } //nolint:gosec // from 1

// query is the vector of a query's text, of the same kind as those of documents, but by chance.
func (v *vectors) query(text string) []float32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return v.made(h.Sum64(), 2)
}

func (v *vectors) made(n, kind uint64) []float32 {
	r := rand.New(rand.NewPCG(n, kind)) //nolint:gosec // made-up vectors
	centre := v.centres[r.IntN(clusters)]
	out := make([]float32, dimensions)
	for i, c := range centre {
		z := float32(c + 0.5*r.NormFloat64())
		for j, a := range &v.axes[i] {
			out[j] += z * a
		}
	}
	sum := 0.0
	for j := range out {
		out[j] += float32(0.3 * r.NormFloat64())
		sum += float64(out[j]) * float64(out[j])
	}
	for j := range out {
		out[j] /= float32(math.Sqrt(sum))
	}
	return out
}

// text appends the vector as PostgreSQL reads it.
func (v *vectors) text(out []byte, vector []float32) []byte {
	out = append(out, v.brackets[0])
	for i, x := range vector {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, float64(x), 'g', 6, 32)
	}
	return append(out, v.brackets[1])
}

// service answers requests for vectors of queries, as a service on the same machine that computes nothing: those asked for
// before are ready.
func (v *vectors) service() *httptest.Server {
	var mu sync.Mutex
	ready := map[string][]byte{}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Input []string `json:"input"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		out := []byte(`{"data":[`)
		for i, text := range in.Input {
			vector, ok := ready[text]
			if !ok {
				vector = (&vectors{brackets: "[]"}).text(nil, v.query(text))
				ready[text] = vector
			}
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, `{"index":`+strconv.Itoa(i)+`,"embedding":`...)
			out = append(append(out, vector...), '}')
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(out, `],"model":"`+benchModel+`"}`...))
	}))
}
