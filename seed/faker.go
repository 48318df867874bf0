package seed

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/brianvoe/gofakeit/v7"
	"github.com/google/uuid"

	"stackforge/db"
)

// Seed is the random seed of all generated records.
const Seed = 42

// chunk is how many generated records go out in one statement and transaction.
const chunk = 1000

// epoch is the end of the half year over which generated records are spread. It is fixed, so that they are equal on
// every database.
func epoch() time.Time { return time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) }

const spread = 180 * 24 * time.Hour

// Faker returns the generator of one record: the same for the same kind, tenant and number, whatever was made before.
func Faker(kind string, tenantID uuid.UUID, n int) *gofakeit.Faker {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind)) // never fails
	_, _ = h.Write(tenantID[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // not negative
	_, _ = h.Write(b[:])
	return gofakeit.NewFaker(rand.NewPCG(Seed, h.Sum64()), false)
}

// fakeID is the fixed id of a generated record.
func fakeID(kind string, tenantID uuid.UUID, n int) uuid.UUID {
	return uuid.NewSHA1(tenantID, fmt.Appendf(nil, "%s/%d", kind, n))
}

func fakeTime(f *gofakeit.Faker) time.Time {
	return epoch().Add(-time.Duration(f.IntRange(0, int(spread/time.Second))) * time.Second)
}

func pick[T any](f *gofakeit.Faker, from ...T) T { return from[f.IntRange(0, len(from)-1)] }

// FakeUser returns a user without tenant and id. Its address need not be unique.
func FakeUser(f *gofakeit.Faker) User {
	email := fmt.Sprintf("%s.%s@example.com", f.FirstName(), f.LastName())
	return User{Email: strings.ToLower(strings.ReplaceAll(email, " ", "")), CreatedAt: fakeTime(f)}
}

// FakeDocument returns a document without tenant, id and author.
func FakeDocument(f *gofakeit.Faker) Document {
	team := pick(f, "engineering", "sales", "support", "finance", "people", "research")
	d := Document{
		Title: f.Company() + ": " + f.BuzzWord() + " " + f.ProductName(), Language: "en",
		Path:      team + "." + pick(f, "notes", "plans", "reports", "reviews") + "." + pick(f, "drafts", "final", "archive"),
		Metadata:  map[string]string{"status": pick(f, "draft", "review", "final"), "priority": pick(f, "low", "normal", "high"), "city": f.City()},
		CreatedAt: fakeTime(f),
	}
	var body []string
	for range f.IntRange(3, 8) {
		body = append(body, f.HackerPhrase()+" "+f.HipsterSentence())
	}
	d.Body = strings.Join(body, "\n")
	for range f.IntRange(1, 4) {
		d.TagIDs = append(d.TagIDs, f.IntRange(100, 160))
	}
	if f.IntRange(0, 2) == 0 {
		lon, lat := float64(f.IntRange(-12_500_000, -7_000_000))/1e5, float64(f.IntRange(2_500_000, 4_900_000))/1e5
		d.Longitude, d.Latitude = &lon, &lat
	}
	return d
}

// FakeJob returns a job that has ended, without tenant and unique key: nothing that a worker would run.
func FakeJob(f *gofakeit.Faker) Job {
	j := Job{
		Type: "send_email", Status: "done", Priority: f.IntRange(0, 10), Attempts: f.IntRange(1, 2), CreatedAt: fakeTime(f),
		Payload: map[string]any{"to": FakeUser(f).Email, "subject": f.BuzzWord() + " " + f.Noun(), "body": f.HackerPhrase()},
	}
	if f.IntRange(0, 2) == 0 {
		j.Type, j.Payload = "cleanup_files", map[string]any{"older_than_hours": f.IntRange(1, 72)}
	}
	if f.IntRange(0, 9) == 0 {
		reason, message := "exhausted", "The mail server did not answer in time."
		j.Status, j.Attempts, j.Reason, j.LastError = "failed", 3, &reason, &message
	}
	j.RunAt = j.CreatedAt
	started := j.CreatedAt.Add(time.Duration(f.IntRange(5, 2000)) * time.Millisecond)
	finished := started.Add(time.Duration(f.IntRange(20, 30_000)) * time.Millisecond)
	j.StartedAt, j.FinishedAt = &started, &finished
	return j
}

// FakeFile returns a file without tenant, id, uploader and what follows from them.
func FakeFile(f *gofakeit.Faker) File {
	kind := pick(f, [2]string{"pdf", "application/pdf"}, [2]string{"png", "image/png"}, [2]string{"csv", "text/csv"},
		[2]string{"txt", "text/plain"}, [2]string{"zip", "application/zip"})
	name := strings.ToLower(strings.ReplaceAll(f.BuzzWord()+"-"+f.Noun(), " ", "-"))
	return File{Filename: name + "." + kind[0], ContentType: kind[1], CreatedAt: fakeTime(f)}
}

// Message is the body of a queue message.
type Message struct {
	Event   string `json:"event"`
	Subject string `json:"subject"`
	Amount  int    `json:"amount"` // in cents
	City    string `json:"city"`
	At      string `json:"at"` // RFC 3339
}

// FakeMessage returns the body of a queue message.
func FakeMessage(f *gofakeit.Faker) Message {
	return Message{
		Event: pick(f, "order.created", "order.paid", "order.delivered", "driver.assigned"), Subject: f.ProductName(),
		Amount: f.IntRange(500, 50_000), City: f.City(), At: fakeTime(f).Format(time.RFC3339),
	}
}

// generate adds count records of each kind to each tenant.
func (r *runner) generate(ctx context.Context, count int) error {
	for _, t := range Tenants() {
		for from := 0; from < count; from += chunk {
			if err := r.chunk(ctx, t, from, min(from+chunk, count)); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunk adds records from to to-1. User, document, job and file of one number are made in one transaction, so the user
// tells whether they were made already, by now perhaps deleted, or dropped by retention.
func (r *runner) chunk(ctx context.Context, t Tenant, from, to int) error {
	users := make([]User, 0, to-from)
	for n := from; n < to; n++ {
		u := FakeUser(Faker("user", t.ID, n))
		u.TenantID, u.ID = t.ID, fakeID("user", t.ID, n)
		u.Email = strings.Replace(u.Email, "@", fmt.Sprintf(".%d@", n), 1) // unique in its tenant
		users = append(users, u)
	}
	what := fmt.Sprintf("generated records %d-%d of %s", from+1, to, t.Name)
	var added int64
	err := r.step(ctx, what, nil, func(tx *db.Tx) (int64, error) {
		ids, err := insertUsers(ctx, tx, users)
		added = int64(len(ids))
		if err != nil || added == 0 {
			return 0, err
		}
		isNew := make(map[uuid.UUID]bool, len(ids))
		for _, id := range ids {
			isNew[id] = true
		}
		var docs []Document
		var jobs []Job
		var files []File
		for i, u := range users {
			if isNew[u.ID] {
				docs = append(docs, numberedDocument(u, from+i))
				jobs = append(jobs, numberedJob(t, from+i))
				files = append(files, numberedFile(u, from+i))
			}
		}
		d, err := insertDocuments(ctx, tx, docs)
		if err != nil {
			return 0, err
		}
		j, err := insertJobs(ctx, tx, jobs, false)
		if err != nil {
			return 0, err
		}
		f, err := insertFiles(ctx, tx, files)
		return added + d + j + f, err
	})
	if err != nil {
		return err
	}
	r.report.Users, r.report.Documents = r.report.Users+added, r.report.Documents+added
	r.report.Jobs, r.report.Files = r.report.Jobs+added, r.report.Files+added
	return nil
}

func numberedDocument(author User, n int) Document {
	d := FakeDocument(Faker("document", author.TenantID, n))
	d.TenantID, d.ID, d.AuthorID = author.TenantID, fakeID("document", author.TenantID, n), author.ID
	return d
}

func numberedJob(t Tenant, n int) Job {
	j := FakeJob(Faker("job", t.ID, n))
	j.TenantID, j.UniqueKey = t.ID, fmt.Sprintf("seed:fake:%d", n)
	return j
}

func numberedFile(uploader User, n int) File {
	f := FakeFile(Faker("file", uploader.TenantID, n))
	f.TenantID, f.UploaderID = uploader.TenantID, uploader.ID
	f.ID = timedID(f, n)
	return f.stored()
}
