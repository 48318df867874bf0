package seed

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// id returns the fixed id that ends with these digits.
func id(digits int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-0000-0000-%012d", digits))
}

// Tenants returns the three tenants. The documented examples use the first one, which has all that they search for.
func Tenants() []Tenant {
	return []Tenant{
		{ID: id(1), Name: "Meridian Group"},
		{ID: id(2), Name: "Lakeside Research Hospital"},
		{ID: id(3), Name: "Bayline Logistics"},
	}
}

// fixedUsers are two a tenant: 10 and 11, 20 and 21, 30 and 31.
func fixedUsers() []User {
	names := [][2]string{
		{"ada.marsh@meridian.example", "tom.okafor@meridian.example"},
		{"dr.jones@lakeside.example", "nina.holt@lakeside.example"},
		{"dispatch@bayline.example", "sam.ortiz@bayline.example"},
	}
	var out []User
	for i, t := range Tenants() {
		for j, email := range names[i] {
			out = append(out, User{TenantID: t.ID, ID: id(10*(i+1) + j), Email: email, CreatedAt: daysAgo(150 - 20*i - j)})
		}
	}
	return out
}

func daysAgo(n int) time.Time {
	return time.Now().Add(-time.Duration(n) * 24 * time.Hour).Truncate(time.Second)
}

// fixedDocuments are texts as documents: ids 101 and up in the first tenant, 201 and 301 in the others. A tenant's two
// users take turns as author, and a document is about five days older than the one before.
func fixedDocuments() []Document {
	var out []Document
	for i, list := range [][]text{meridian(), lakeside(), bayline()} {
		for n, x := range list {
			d := Document{
				TenantID: id(i + 1), ID: id(100*(i+1) + n + 1), AuthorID: id(10*(i+1) + n%2), Title: x.title, Body: x.body,
				Language: x.language, Metadata: x.metadata, Path: x.path, TagIDs: x.tags, CreatedAt: daysAgo(2 + 5*n),
			}
			if d.Language == "" {
				d.Language = "en"
			}
			if x.at != nil {
				d.Longitude, d.Latitude = &x.at[0], &x.at[1]
			}
			out = append(out, d)
		}
	}
	return out
}

// fixedJobs are twenty, in every status. What is due is harmless when a worker runs it, and the e-mails go to reserved
// names; the one that runs belongs to no worker, so that the first rescue hands it to one.
func fixedJobs() []Job {
	hours := func(n int) *time.Time {
		t := time.Now().Add(-time.Duration(n) * time.Hour).Truncate(time.Second)
		return &t
	}
	email := func(to, subject string) map[string]any {
		return map[string]any{"to": to, "subject": subject, "body": "This is a demonstration."}
	}
	embed := func(doc int) map[string]any { return map[string]any{"document_id": id(doc)} }
	reindex := func(t int) map[string]any { return map[string]any{"tenant_id": id(t)} }
	clean := func(h int) map[string]any { return map[string]any{"older_than_hours": h} }
	type spec struct {
		tenant  int
		kind    string
		payload map[string]any
		status  string // of Job, or "future"
		ago     int    // hours since it was enqueued
		note    string // reason of a failure
	}
	specs := []spec{
		{1, "generate_embedding", embed(101), "pending", 0, ""},
		{1, "generate_embedding", embed(102), "pending", 0, ""},
		{1, "cleanup_files", clean(24), "pending", 0, ""},
		{1, "send_email", email("ada.marsh@meridian.example", "Quarterly review"), "future", 1, ""},
		{1, "reindex_search", reindex(1), "running", 0, ""},
		{1, "send_email", email("tom.okafor@meridian.example", "Welcome"), "done", 30, ""},
		{1, "send_email", email("legal@meridian.example", "Hearing moved"), "done", 28, ""},
		{1, "reindex_search", reindex(1), "done", 26, ""},
		{1, "cleanup_files", clean(48), "done", 25, ""},
		{1, "send_email", email("press@meridian.example", "Release notes"), "failed", 20, "exhausted"},
		{1, "build.notify", map[string]any{"build": 4519, "result": "red"}, "failed", 18, "no_handler"},
		{2, "generate_embedding", embed(201), "pending", 0, ""},
		{2, "send_email", email("nina.holt@lakeside.example", "Follow-up visits"), "future", 2, ""},
		{2, "send_email", email("dr.jones@lakeside.example", "Lab results"), "done", 22, ""},
		{2, "cleanup_files", clean(24), "done", 12, ""},
		{2, "generate_embedding", embed(202), "failed", 10, "permanent"},
		{3, "generate_embedding", embed(301), "pending", 0, ""},
		{3, "send_email", email("sam.ortiz@bayline.example", "Route change"), "done", 9, ""},
		{3, "reindex_search", reindex(3), "done", 8, ""},
		{3, "send_email", email("dispatch@bayline.example", "Late delivery"), "failed", 7, "cancelled"},
	}
	messages := map[string]string{
		"exhausted":  "The mail server did not answer in time.",
		"no_handler": "There is no handler for this type of job.",
		"permanent":  "There is no such document.",
		"cancelled":  "The job was cancelled.",
	}
	out := make([]Job, 0, len(specs))
	for i, s := range specs {
		j := Job{
			TenantID: id(s.tenant), UniqueKey: fmt.Sprintf("seed:%d", i+1), Type: s.kind, Payload: s.payload, Status: s.status,
			Priority: i % 3 * 10, CreatedAt: *hours(s.ago), RunAt: *hours(s.ago),
		}
		switch s.status {
		case "future":
			j.Status, j.RunAt = "pending", time.Now().Add(30*24*time.Hour).Truncate(time.Second)
		case "running":
			j.Attempts, j.StartedAt = 1, hours(0)
		case "done", "failed":
			end := j.CreatedAt.Add(time.Duration(2+i) * time.Second)
			j.Attempts, j.StartedAt, j.FinishedAt = 1, &j.RunAt, &end
		}
		if s.note != "" {
			message := messages[s.note]
			j.Reason, j.LastError = &s.note, &message
		}
		if s.note == "exhausted" {
			j.Attempts = 3
		}
		out = append(out, j)
	}
	return out
}

// fixedFiles are seven: ids 401 and up.
func fixedFiles() []File {
	var out []File
	for i, f := range []struct {
		tenant     int
		name, kind string
	}{
		{1, "architecture.pdf", "application/pdf"},
		{1, "acme-case-brief.pdf", "application/pdf"},
		{1, "build-4521.log", "text/plain"},
		{2, "chest-x-ray-smith.png", "image/png"},
		{2, "ward-rota.csv", "text/csv"},
		{3, "routes.geojson", "application/geo+json"},
		{3, "delivery-note-881.pdf", "application/pdf"},
	} {
		out = append(out, File{
			TenantID: id(f.tenant), ID: id(401 + i), UploaderID: id(10 * f.tenant), Filename: f.name, ContentType: f.kind, CreatedAt: daysAgo(3 + 4*i),
		}.stored())
	}
	return out
}

// fixedMessages are three, for the first tenant's queue of notifications.
func fixedMessages() []map[string]any {
	return []map[string]any{
		{"kind": "welcome", "to": "ada@acme.example", "subject": "Welcome to Acme"},
		{"kind": "build_failed", "to": "team@acme.example", "build": 4521},
		{"kind": "review_requested", "to": "ada@acme.example", "path": "projects.acme.case"},
	}
}
