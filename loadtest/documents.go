package loadtest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// keep is how many documents a user remembers.
const keep = 100

func crudStep(ctx context.Context, u *user) error {
	if err := u.create(ctx, 50_000); err != nil {
		return err
	}
	id := u.documents[len(u.documents)-1]
	if err := u.read(ctx, id, http.StatusOK); err != nil {
		return err
	}
	if err := u.update(ctx, id); err != nil {
		return err
	}
	switch n := u.rng.IntN(100); {
	case n < 15:
		if err := u.delete(ctx); err != nil {
			return err
		}
	case n < 25:
		return u.read(ctx, uuid.NewString(), http.StatusNotFound)
	}
	return nil
}

// create makes a document of 500 to so many characters.
func (u *user) create(ctx context.Context, most int) error {
	in := u.newDocument(500 + u.rng.IntN(most-500))
	a, err := u.do(ctx, call{
		name: "create document", method: http.MethodPost, path: "/documents", body: in, want: []int{http.StatusCreated, http.StatusOK},
		query: `mutation ($in: CreateDocumentInput!) { createDocument(input: $in) { document { id title createdAt } } }`, vars: map[string]any{"in": in},
	})
	if err != nil {
		return err
	}
	id, err := u.text(a, "id", "createDocument.document.id")
	if err != nil {
		return err
	}
	u.documents = append(u.documents, id)
	if len(u.documents) > keep {
		u.documents = u.documents[1:]
	}
	return nil
}

func (u *user) read(ctx context.Context, id string, want int) error {
	a, err := u.do(ctx, call{
		name: "read document", method: http.MethodGet, path: "/documents/" + id, want: []int{want}, gone: "document",
		query: `query ($id: ID!) { document(id: $id) { id tenantId authorId title body metadata path createdAt updatedAt } }`, vars: map[string]any{"id": id},
	})
	if err != nil || want != http.StatusOK {
		return err
	}
	got, err := u.text(a, "id", "document.id")
	if err == nil && got != id {
		err = fmt.Errorf("read document: asked for %s, got %s", id, got)
	}
	return err
}

func (u *user) update(ctx context.Context, id string) error {
	title := u.word() + " " + u.word()
	a, err := u.do(ctx, call{
		name: "update document", method: http.MethodPut, path: "/documents/" + id, body: map[string]any{"title": title}, want: []int{http.StatusOK},
		query: `mutation ($in: UpdateDocumentInput!) { updateDocument(input: $in) { document { id title } } }`,
		vars:  map[string]any{"in": map[string]any{"id": id, "title": title}},
	})
	if err != nil {
		return err
	}
	got, err := u.text(a, "title", "updateDocument.document.title")
	if err == nil && got != title {
		err = fmt.Errorf("update document: the title is not the one that was sent")
	}
	return err
}

// delete deletes the oldest document that the user knows.
func (u *user) delete(ctx context.Context) error {
	if len(u.documents) == 0 {
		return nil
	}
	id := u.documents[0]
	u.documents = u.documents[1:]
	_, err := u.do(ctx, call{
		name: "delete document", method: http.MethodDelete, path: "/documents/" + id, want: []int{http.StatusNoContent, http.StatusOK},
		query: `mutation ($in: DeleteDocumentInput!) { deleteDocument(input: $in) { id } }`, vars: map[string]any{"in": map[string]any{"id": id}},
	})
	return err
}

func searchStep(ctx context.Context, u *user) error {
	mode := pick(u, weighted[string]{60, "fts"}, weighted[string]{30, "fuzzy"}, weighted[string]{10, "soundex"})
	s := searchFor{mode: mode, text: u.text4(mode)}
	want := []int{http.StatusOK}
	switch n := u.rng.IntN(100); {
	case n < 5:
		s.text = hostile()[u.rng.IntN(len(hostile()))]
		want = append(want, http.StatusBadRequest)
	case n < 20:
		s.path = paths()[u.rng.IntN(len(paths()))]
	case n < 30:
		s.tags = []int{1 + u.rng.IntN(50), 1 + u.rng.IntN(50)}
	case n < 35:
		c := u.near(cities()[u.rng.IntN(len(cities()))], 0.3)
		s.circle(c, 20_000)
		s.path, s.tags = paths()[u.rng.IntN(len(paths()))], []int{1 + u.rng.IntN(50)}
	}
	_, err := u.search(ctx, "search "+mode, s, want...)
	return err
}

// text4 is a text to search for in a mode.
func (u *user) text4(mode string) string {
	switch mode {
	case "fuzzy":
		return misspelt()[u.rng.IntN(len(misspelt()))]
	case "soundex":
		return misheard()[u.rng.IntN(len(misheard()))]
	}
	return pick(u, weighted[string]{5, u.word()}, weighted[string]{3, u.word() + " " + u.word()}, weighted[string]{1, `"` + u.word() + " " + u.word() + `"`},
		weighted[string]{1, u.word() + " -" + u.word()})
}

// searchFor is one search.
type searchFor struct {
	text, mode, path string
	tags             []int
	near             bool
	at               city
	radius           float64 // metres
}

func (s *searchFor) circle(c city, radius float64) { s.near, s.at, s.radius = true, c, radius }

// search returns how many hits there were.
func (u *user) search(ctx context.Context, name string, s searchFor, want ...int) (int, error) {
	q := url.Values{"q": {s.text}, "mode": {s.mode}, "limit": {"10"}}
	vars := map[string]any{"q": s.text, "mode": map[string]string{"fts": "FTS", "fuzzy": "FUZZY", "soundex": "SOUNDEX"}[s.mode], "first": 10}
	if s.path != "" {
		q.Set("pathPrefix", s.path)
		vars["path"] = s.path
	}
	if len(s.tags) > 0 {
		var list []string
		for _, t := range s.tags {
			list = append(list, strconv.Itoa(t))
		}
		q.Set("tagIds", strings.Join(list, ","))
		vars["tags"] = s.tags
	}
	if s.near {
		for k, v := range map[string]float64{"longitude": s.at.longitude, "latitude": s.at.latitude, "radius": s.radius} {
			q.Set(k, strconv.FormatFloat(v, 'f', -1, 64))
		}
		vars["near"] = map[string]any{"longitude": s.at.longitude, "latitude": s.at.latitude, "radius": s.radius}
	}
	a, err := u.do(ctx, call{
		name: name, method: http.MethodGet, path: "/documents/search?" + q.Encode(), want: want,
		query: `query ($q: String, $mode: SearchMode!, $first: Int, $path: String, $tags: [Int!], $near: NearInput) {
			searchDocuments(query: $q, mode: $mode, first: $first, pathPrefix: $path, tagIds: $tags, near: $near) { nodes { score distance document { id title createdAt path } } } }`,
		vars: vars,
	})
	if err != nil || a.status != http.StatusOK {
		return 0, err
	}
	var hits []any
	if err := u.at(a, "items", "searchDocuments.nodes", &hits); err != nil {
		return 0, err
	}
	if len(hits) > 10 {
		return 0, fmt.Errorf("%s: %d hits, asked for 10", name, len(hits))
	}
	return len(hits), nil
}

// geoPrepare makes sure that there is something around each city.
func geoPrepare(ctx context.Context, u *user) error {
	for _, c := range cities() {
		in := u.newDocument(500)
		in["title"], in["longitude"], in["latitude"] = "order near", c.longitude, c.latitude
		if _, err := u.do(ctx, call{
			name: "create document", method: http.MethodPost, path: "/documents", body: in, want: []int{http.StatusCreated, http.StatusOK},
			query: `mutation ($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`, vars: map[string]any{"in": in},
		}); err != nil {
			return err
		}
	}
	return nil
}

func geoStep(ctx context.Context, u *user) error {
	list := cities()
	c := list[u.rng.IntN(len(list))]
	s := searchFor{mode: "fts", text: "order"}
	switch n := u.rng.IntN(100); {
	case n < 70:
		s.circle(u.near(c, 0.05), []float64{500, 2000, 10_000, 50_000, 200_000}[u.rng.IntN(5)])
	case n < 85: // between two
		o := list[u.rng.IntN(len(list))]
		s.circle(city{(c.longitude + o.longitude) / 2, (c.latitude + o.latitude) / 2}, 100_000)
	case n < 95:
		s.circle(c, 50_000)
		s.tags = []int{1 + u.rng.IntN(50)}
	default: // in the middle of an ocean
		s.circle(city{-140, -48}, 500)
		hits, err := u.search(ctx, "search where nothing is", s, http.StatusOK)
		if err == nil && hits > 0 {
			err = fmt.Errorf("search where nothing is: %d hits", hits)
		}
		return err
	}
	_, err := u.search(ctx, fmt.Sprintf("search within %.0f km", s.radius/1000), s, http.StatusOK)
	return err
}
