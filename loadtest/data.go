package loadtest

import (
	"fmt"
	"strings"
	"time"
)

// What documents are about. A search for a word finds some, and a misspelt one too.
func words() []string {
	return strings.Fields(`postgres database query index vector search engine cluster replica backup schema tenant queue worker message
		invoice order shipment driver warehouse customer contract negligence product design hearing court patient cardiology chest
		treatment smith robert nurse hospital build deploy release pipeline artifact security review audit incident report summary
		latency throughput café naïve résumé market forecast budget travel hotel garden river mountain bridge station airport`)
}

// misspelt are words as people type them.
func misspelt() []string {
	return strings.Fields(`postgras databse serch enginee clutser replcia wrehouse custmer neglignece producit Smyht cardiolgy hosptal pipline`)
}

// misheard are words that sound like some of those.
func misheard() []string { return strings.Fields(`rupert smyth smythe nerse kort kontract`) }

// hostile are texts that must be answered with few hits or with 400.
func hostile() []string {
	return []string{
		`'; drop table documents;--`, `" OR 1=1 --`, `\'; SELECT pg_sleep(5); --`, `"unbalanced`, `((((`, `& | ! <->`, `:*`, `*`, `%_%`, `the and of`,
		"🦆🦆🦆", "שלום עולם", "\u202Egnirts", strings.Repeat("a", 1000), strings.Repeat("word ", 180), `${jndi:ldap://x}`, `<script>alert(1)</script>`,
	}
}

// city is a place of the geo scenario.
type city struct{ longitude, latitude float64 }

func cities() []city {
	return []city{
		{-122.4194, 37.7749},
		{-74.0060, 40.7128},
		{-0.1276, 51.5072},
		{2.3522, 48.8566},
		{13.4050, 52.5200},
		{139.6917, 35.6895},
		{151.2093, -33.8688},
		{-46.6333, -23.5505},
		{28.0473, -26.2041},
		{77.2090, 28.6139},
		{103.8198, 1.3521},
		{-99.1332, 19.4326},
	}
}

func paths() []string {
	return []string{"engineering.backend", "engineering.frontend", "engineering.data", "legal.briefs", "legal.contracts", "logistics.orders", "cardiology.notes", "load"}
}

func (u *user) word() string { w := words(); return w[u.rng.IntN(len(w))] }

// newDocument is the input of a document with about so many characters.
func (u *user) newDocument(size int) map[string]any {
	var b strings.Builder
	for list := words(); b.Len() < size; {
		b.WriteString(list[u.rng.IntN(len(list))])
		b.WriteByte(' ')
	}
	c := u.near(cities()[u.rng.IntN(len(cities()))], 0.3)
	return map[string]any{
		"authorId": u.world.author, "title": fmt.Sprintf("%s %s %d", u.word(), u.word(), u.rng.IntN(100_000)), "body": strings.TrimSpace(b.String()),
		"path": paths()[u.rng.IntN(len(paths()))], "tagIds": []int{1 + u.rng.IntN(50), 1 + u.rng.IntN(50)},
		"metadata":  map[string]string{"source": "loadtest", "priority": []string{"low", "high"}[u.rng.IntN(2)]},
		"longitude": c.longitude, "latitude": c.latitude,
	}
}

// near is a place up to so many degrees away.
func (u *user) near(c city, degrees float64) city {
	return city{c.longitude + (u.rng.Float64()*2-1)*degrees, c.latitude + (u.rng.Float64()*2-1)*degrees}
}

// newJob is the input of a job that any worker can run.
func (u *user) newJob() map[string]any {
	j := map[string]any{
		"type":     "send_email",
		"payload":  map[string]any{"to": fmt.Sprintf("user%d@example.com", u.rng.IntN(1000)), "subject": "Load test", "body": u.word()},
		"priority": []int{0, 0, 0, 10, 50, 100}[u.rng.IntN(6)],
	}
	if u.rng.IntN(10) == 0 {
		j["runAt"] = time.Now().Add(time.Duration(1+u.rng.IntN(24)) * time.Hour).UTC().Format(time.RFC3339)
	}
	return j
}

// one of is a member of a list, by weight.
type weighted[T any] struct {
	weight int
	value  T
}

func pick[T any](u *user, list ...weighted[T]) T {
	sum := 0
	for _, w := range list {
		sum += w.weight
	}
	n := u.rng.IntN(sum)
	for _, w := range list {
		if n -= w.weight; n < 0 {
			return w.value
		}
	}
	return list[0].value
}
