package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/repo/search"
)

// SearchHit is a document that was found.
type SearchHit struct {
	ID            uuid.UUID `json:"id" format:"uuid" doc:"The document's id." example:"00000000-0000-0000-0000-000000000101"`
	Title         string    `json:"title" doc:"Its title." example:"Introduction to PostgreSQL"`
	FTSRank       float32   `json:"fts_rank" doc:"How well it fits; hits come in this order." example:"0.6079271"`
	TrigramScore  float32   `json:"trigram_score" doc:"How alike title and query are written, 0 to 1." example:"0.3"`
	CreatedAt     moment    `json:"createdAt" doc:"When the document was created."`
	Path          *string   `json:"path" doc:"Its dotted path." example:"engineering.backend"`
	DistanceMetre *float64  `json:"distance_m,omitempty" doc:"Metres from the point; only with longitude and latitude, and then hits come in this order." example:"1234.5"`
}

// SearchHits is what a search found.
type SearchHits struct {
	Items []SearchHit `json:"items" nullable:"false" doc:"The best first."`
}

type searchInput struct {
	Query      string   `query:"q" required:"true" minLength:"1" maxLength:"1000" doc:"What to look for, 1 to 1,000 characters; in mode fts \"a phrase\", -without and or work as in a web search." example:"postgres"`
	Mode       string   `query:"mode" enum:"fts,fuzzy,soundex,metaphone" default:"fts" doc:"How words are compared: fts by stem, fuzzy by spelling, soundex and metaphone by sound."`
	Limit      limit    `query:"limit" doc:"Most hits, brought into 1 to 100."`
	PathPrefix string   `query:"pathPrefix" doc:"Only documents at this path or below it." example:"engineering"`
	TagIDs     integers `query:"tagIds" doc:"Only documents with any of these tags."`
	Longitude  decimal  `query:"longitude" minimum:"-180" maximum:"180" doc:"Degrees east of the middle of a circle; only together with latitude."`
	Latitude   decimal  `query:"latitude" minimum:"-90" maximum:"90" doc:"Degrees north of the middle of a circle; only together with longitude."`
	Radius     decimal  `query:"radius" exclusiveMinimum:"0" maximum:"1000000" doc:"Metres, more than 0 and at most 1,000,000; 10,000 unless given."`
}

func (a *API) search() {
	// The word search is no id of a document.
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPost, http.MethodPatch, http.MethodTrace} {
		a.mux.HandleFunc(method+" /documents/search", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", "GET, HEAD")
			httpd.WriteStatus(w, r, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "This path does not take this method; see the Allow header.")
		})
	}
	handle(a, "documents:read", operation("Documents", http.MethodGet, "/documents/search", "searchDocuments", "Find documents", http.StatusOK, 400),
		func(ctx context.Context, in *searchInput) (*struct{ Body SearchHits }, error) {
			if strings.TrimSpace(in.Query) == "" {
				return nil, errs.Field("q", "This is required.")
			}
			switch in.Mode {
			case search.FTS, search.Fuzzy, search.Soundex, search.Metaphone:
			default: // those that need a vector have no place in this answer
				return nil, errs.Field("mode", "This must be one of fts, fuzzy, soundex and metaphone.")
			}
			hits, err := a.Search.Documented(ctx, search.DocumentedParams{
				Query: in.Query, Mode: in.Mode, Limit: in.Limit.value(), PathPrefix: text(in.PathPrefix), TagIDs: in.TagIDs.list,
				Longitude: in.Longitude.p, Latitude: in.Latitude.p, Radius: in.Radius.p,
			})
			if err != nil {
				return nil, inQuery(err)
			}
			out := make([]SearchHit, len(hits))
			for i, h := range hits {
				out[i] = SearchHit{
					ID: h.ID, Title: h.Title, FTSRank: h.Rank, TrigramScore: h.Trigrams, CreatedAt: moment{h.CreatedAt}, Path: h.Path,
					DistanceMetre: h.Distance,
				}
			}
			return &struct{ Body SearchHits }{SearchHits{out}}, nil
		})
}

// inQuery names the query as its parameter.
func inQuery(err error) error {
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Field == "query" {
		e.Field = "q"
	}
	return err
}
