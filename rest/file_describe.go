package rest

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// describeFiles tells what the routes of files do, which are plain handlers.
func (a *API) describeFiles() {
	op := fileOperation(http.MethodPost, "/files", "uploadFile", "Upload a file", http.StatusCreated, 413)
	op.Description = "A form with the parts `file` and `uploaderId`, in either order; others are ignored. The file is stored as it arrives, and nothing is when the " +
		"request fails: 413 says that it is longer than this server takes (" + strconv.FormatInt(a.MaxFile, 10) + " bytes) or that the tenant has no room left, " +
		"502 that the storage does not answer.\n\n`curl -H \"x-api-key: $KEY\" -F file=@notes.txt -F uploaderId=$USER …/files`"
	op.RequestBody = &huma.RequestBody{Required: true, Description: "The form.", Content: map[string]*huma.MediaType{"multipart/form-data": {
		Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"file", "uploaderId"},
			Properties: map[string]*huma.Schema{
				"file": {
					Type: huma.TypeString, Format: "binary",
					Description: "The bytes, with a filename. Its Content-Type counts where the bytes leave open what they are.",
				},
				"uploaderId": {Type: huma.TypeString, Format: "uuid", Description: "A user of the tenant.", Examples: []any{exampleID}},
			},
		},
		Encoding: map[string]*huma.Encoding{"file": {ContentType: "*/*"}},
	}}}
	leads(&op, "id", "getFile", "downloadFile", "deleteFile")
	op.Responses["201"].Headers = headers([3]string{"Location", "Where the record is.", "/files/" + exampleID})
	a.describeFile(op, "files:write", schemaOf[File](a))

	op = fileOperation(http.MethodGet, "/files/{id}", "getFile", "Read a file's record", http.StatusOK, 404)
	op.Description = "With a link for a download, which works for 15 minutes without a credential."
	a.describeFile(op, "files:read", schemaOf[File](a))

	op = fileOperation(http.MethodDelete, "/files/{id}", "deleteFile", "Delete a file", http.StatusNoContent, 404)
	op.Description = "502 says that the storage did not answer: nobody can download the file any more, and the server tries again."
	a.describeFile(op, "files:write", nil)

	a.describeDownload()

	op = fileOperation(http.MethodPut, "/files/{id}/content", "sendFile", "Send the bytes of a direct upload", http.StatusNoContent, 403, 413)
	op.Description = "Takes the URLs of the GraphQL mutation `createUpload`, on a server that keeps files in a folder: their signature is the credential. " +
		"The body has exactly the size that was told. Then call `completeUpload`."
	op.Parameters = append(op.Parameters, signature(true)...)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: binary()}}}
	a.describe(op)
}

// describeDownload tells of GET /files/{id}/content.
func (a *API) describeDownload() {
	op := fileOperation(http.MethodGet, "/files/{id}/content", "downloadFile", "Download a file", http.StatusOK, 404)
	op.Description = "As an attachment, in whole or in the parts that `Range` asks for. The `downloadUrl` of a record comes here with a signature, and then needs no " +
		"credential; of a server with a bucket it goes to the bucket. Types that a browser would run are served as `application/octet-stream`."
	for _, p := range [][3]string{
		{"Range", "The part that is wanted.", "bytes=0-1023"},
		{"If-Range", "The ETag of the parts that are there; the whole file is sent when it is another one now.", `"2cf24dba"`},
		{"If-None-Match", "The ETag of the file that is there; 304 when it is the same.", `"2cf24dba"`},
		{"If-Match", "The ETag of the file that is wanted; 412 when it is another one.", `"2cf24dba"`},
	} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p[0], In: "header", Description: p[1], Example: p[2], Schema: &huma.Schema{Type: huma.TypeString}})
	}
	op.Parameters = append(op.Parameters, signature(false)...)
	whole := headers(
		[3]string{"ETag", "SHA-256 in hexadecimal digits, in quotes.", `"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"`},
		[3]string{"Repr-Digest", "SHA-256 of the whole file, as RFC 9530 has it.", "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"},
		[3]string{"Content-Disposition", "An attachment with the file's name.", `attachment; filename="notes.txt"`},
		[3]string{"Accept-Ranges", "Parts can be asked for.", "bytes"},
		[3]string{"Last-Modified", "When the file was complete.", "Sat, 31 Jan 2026 09:30:00 GMT"},
	)
	part := headers([3]string{"Content-Range", "Which part it is, of how many bytes.", "bytes 0-1023/1048576"})
	maps.Copy(part, whole)
	bytes := map[string]*huma.MediaType{"*/*": {Schema: binary()}}
	op.Responses["200"] = &huma.Response{Description: "The file.", Headers: whole, Content: bytes}
	op.Responses["206"] = &huma.Response{Description: "The part; several are `multipart/byteranges`.", Headers: part, Content: bytes}
	op.Responses["304"] = &huma.Response{Description: "The client has it already.", Headers: headers([3]string{"ETag", "The file's.", `"2cf24dba"`})}
	for _, status := range []int{http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable} {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + failureName(status)}
	}
	secure(&op, "files:read")
	op.Security = append(op.Security, map[string][]string{}) // the signature
	a.describe(op)
}

// exampleID is an id in examples.
const exampleID = "00000000-0000-0000-0000-000000000401"

// fileOperation is an operation on files, with the id that its path has.
func fileOperation(method, path, name, summary string, status int, more ...int) huma.Operation {
	op := operation("Files", method, path, name, summary, status, append(more, http.StatusBadRequest, http.StatusBadGateway, http.StatusNotImplemented)...)
	if path != "/files" {
		op.Parameters = []*huma.Param{{
			Name: "id", In: "path", Required: true, Description: "The id.", Example: exampleID, Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
		}}
	}
	return op
}

// describeFile adds an operation that needs a permission and answers JSON, or nothing.
func (a *API) describeFile(op huma.Operation, scope string, body *huma.Schema) {
	secure(&op, scope)
	if body != nil {
		answers(&op, "application/json", body)
	}
	a.describe(op)
}

// signature are the parameters that a signed URL has; those of an upload have more.
func signature(upload bool) []*huma.Param {
	param := func(name, doc, kind, format string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Required: upload, Description: "Of a signed URL: " + doc, Schema: &huma.Schema{Type: kind, Format: format}}
	}
	list := []*huma.Param{
		param("tenant", "whose file it is.", huma.TypeString, "uuid"), param("expires", "when it ends, in seconds since 1970.", huma.TypeInteger, "int64"),
		param("signature", "what makes it valid.", huma.TypeString, ""),
	}
	if upload {
		list = append(list, param("size", "how many bytes the body has.", huma.TypeInteger, "int64"), param("key", "where they go.", huma.TypeString, ""))
	}
	return list
}

func binary() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "binary"} }

// headers are those of an answer: name, description and example of each.
func headers(list ...[3]string) map[string]*huma.Param {
	out := map[string]*huma.Param{}
	for _, h := range list {
		out[h[0]] = &huma.Param{Description: h[1], Example: h[2], Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return out
}
