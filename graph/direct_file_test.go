package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/nodeid"
	"stackforge/repo/file"
	"stackforge/repo/user"
)

// The query file, too, has the name of its type; see direct_settings_test.go.
type (
	fileAnswers struct{}
	fileCount   struct{}
)

func (*fake) File() graph.FileResolver                     { return fileAnswers{} }
func (*fake) FileConnection() graph.FileConnectionResolver { return fileCount{} }

// aFile is ready when n is even.
func aFile(n byte) (file.File, thing) {
	f := file.File{ID: id(n), TenantID: id(1), Filename: "a\"b.txt", ContentType: "text/plain", SizeBytes: 1 << 40, Status: file.Pending, CreatedAt: moment}
	fields := map[string]any{
		"id": quoted(f.ID), "nodeId": quoted(nodeid.Encode("File", f.ID.String())), "filename": text(`"a\"b.txt"`), "contentType": text(`"text/plain"`),
		"sizeBytes": text("1099511627776"), "checksum": nil, "status": text(`"PENDING"`), "uploader": nil, "createdAt": momentText, "completedAt": nil,
		"uploadExpiresAt": nil, "downloadUrl": nil, "expiresAt": nil, "publicUrl": nil,
	}
	if n%2 == 0 {
		sum, uploader := strings.Repeat("a", 64), id(4)
		f.Status, f.Checksum, f.UploaderID, f.CompletedAt, f.UploadExpiresAt = file.Ready, &sum, &uploader, &moment, &moment
		_, u := aUser(4)
		maps.Copy(fields, map[string]any{
			"status": text(`"READY"`), "checksum": quoted(sum), "uploader": u, "completedAt": momentText, "uploadExpiresAt": momentText,
			"downloadUrl": text(`"u?a=1&b=2"`), "expiresAt": momentText, "publicUrl": text(`"p"`),
		})
	}
	return f, thing{"File", fields}
}

func (fileAnswers) Uploader(_ context.Context, f *file.File) (*user.User, error) {
	if f.UploaderID == nil {
		return nil, nil
	}
	u, _ := aUser(4)
	return &u, nil
}

func ifReady[T any](f *file.File, v T) *T {
	if f.Status != file.Ready {
		return nil
	}
	return &v
}

func (fileAnswers) DownloadURL(_ context.Context, f *file.File, _ *int) (*string, error) {
	return ifReady(f, "u?a=1&b=2"), nil
}

func (fileAnswers) ExpiresAt(_ context.Context, f *file.File, _ *int) (*time.Time, error) {
	return ifReady(f, moment), nil
}

func (fileAnswers) PublicURL(_ context.Context, f *file.File) (*string, error) {
	return ifReady(f, "p"), nil
}

func (fileCount) TotalCount(context.Context, *model.FileConnection) (int, error) { return 77, nil }

func (fakeQuery) File(_ context.Context, id string) (*file.File, error) {
	if id == "none" {
		return nil, nil
	}
	f, _ := aFile(2)
	return &f, nil
}

func (brokenQuery) File(ctx context.Context, id string) (*file.File, error) {
	return fakeQuery{}.File(ctx, id)
}

func (*fake) FilesConnection(context.Context, *int, *string, *int, *string, *model.FileFilter, *model.FileOrder) (model.FileConnection, error) {
	info, _ := aPageInfo(true)
	a, _ := aFile(2)
	b, _ := aFile(3)
	return model.FileConnection{Nodes: []file.File{a, b}, PageInfo: info, Edges: []model.FileEdge{{Node: a, Cursor: "c0"}, {Node: b, Cursor: "c1"}}}, nil
}

func (*fake) StorageUsage(context.Context) (file.Usage, error) {
	return file.Usage{Bytes: 1 << 40, Files: 2, BytesLimit: new(int64(5))}, nil
}

func (*fake) CreateUpload(context.Context, model.CreateUploadInput) (model.CreateUploadPayload, error) {
	f, _ := aFile(3)
	return model.CreateUploadPayload{File: f, URL: "u", Method: "PUT", Headers: json.RawMessage(`{"a":"b"}`), ExpiresAt: moment}, nil
}

func (*fake) CompleteUpload(context.Context, model.CompleteUploadInput) (model.CompleteUploadPayload, error) {
	f, _ := aFile(2)
	return model.CompleteUploadPayload{File: f}, nil
}

func (*fake) DeleteFile(_ context.Context, in model.DeleteFileInput) (model.DeleteFilePayload, error) {
	return model.DeleteFilePayload(in), nil
}

func fileRoots(info thing) []root {
	f := func(n byte) thing { _, x := aFile(n); return x }
	return []root{
		{"query", `file(id: "x")`, f(2)},
		{"query", `file(id: "none")`, nil},
		{"query", `filesConnection`, connection("File", []any{f(2), f(3)}, info)},
		{"query", `storageUsage`, thing{"StorageUsage", map[string]any{"bytes": text(fmt.Sprint(1 << 40)), "files": text("2"), "bytesLimit": text("5"), "filesLimit": nil}}},
		{"mutation", `createUpload(input: {filename: "a", sizeBytes: 1, uploaderId: "x"})`, thing{"CreateUploadPayload", map[string]any{
			"file": f(3), "url": text(`"u"`), "method": text(`"PUT"`), "headers": text(`{"a":"b"}`), "expiresAt": momentText,
		}}},
		{"mutation", `completeUpload(input: {id: "x"})`, thing{"CompleteUploadPayload", map[string]any{"file": f(2)}}},
		{"mutation", `deleteFile(input: {id: "x"})`, thing{"DeleteFilePayload", map[string]any{"id": text(`"x"`)}}},
	}
}
