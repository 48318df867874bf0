package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"stackforge/errs"
)

// OpenAIConfig is how to reach a service that speaks OpenAI's embeddings API.
type OpenAIConfig struct {
	BaseURL string        // the part before /v1/embeddings; default https://api.openai.com
	Key     string        // sent as a bearer token; "" sends none
	Model   string        // default text-embedding-3-small
	Timeout time.Duration // of one request; default 30 s
}

// OpenAI makes vectors by a service. Each call is tried once: retries are the job's.
type OpenAI struct {
	config OpenAIConfig
	client *http.Client
	url    string
}

// NewOpenAI returns an OpenAI. It is errs.Validation for a BaseURL that is not http or https.
func NewOpenAI(c OpenAIConfig) (*OpenAI, error) {
	if c.BaseURL == "" {
		c.BaseURL = "https://api.openai.com"
	}
	if c.Model == "" {
		c.Model = "text-embedding-3-small"
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errs.Field("baseUrl", "This must be an http or https URL.")
	}
	base := strings.TrimSuffix(strings.TrimSuffix(c.BaseURL, "/"), "/v1")
	return &OpenAI{config: c, url: base + "/v1/embeddings", client: &http.Client{
		Timeout: c.Timeout,
		// The key and the text are for the service that was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

const (
	maxTexts  = 256       // of one request; services take up to 2,048
	maxTokens = 8000      // of one text, as estimated by clip; models take 8,191
	perVector = 64 << 10  // bytes of an answer; 1,536 numbers take about 34,000
	perAnswer = 256 << 10 // bytes of an answer beside its vectors
)

// Busy is an error that names the time after which to try again.
type Busy struct { //nolint:errname // it reads better where it is asked for: app.Busy
	After time.Duration // 0: the service said nothing
	err   *errs.Error
}

// Error returns the text of the error.
func (b *Busy) Error() string { return b.err.Error() }

// RetryAfter returns the time that the service asked to wait for.
func (b *Busy) RetryAfter() time.Duration { return b.After }

// Unwrap returns the error without the time.
func (b *Busy) Unwrap() error { return b.err }

// Refused is an error of an answer that finds fault with what it was sent, so that another text may do better: 400, 413 or 422.
type Refused struct { //nolint:errname // as Busy
	err *errs.Error
}

// Error returns the text of the error.
func (r *Refused) Error() string { return r.err.Error() }

// Unwrap returns the error itself.
func (r *Refused) Unwrap() error { return r.err }

// Model returns the name of the model.
func (o *OpenAI) Model() string { return o.config.Model }

// Embed returns the vectors. Texts longer than the model takes are cut. It is errs.RateLimited for an answer of 429 and
// errs.Unavailable for 5xx and network errors, both to be retried, not before the time a *Busy names; it is
// errs.Validation for every other answer, wrong vectors among them; a *Refused when the texts are to blame.
func (o *OpenAI) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for len(texts) > 0 {
		n := min(len(texts), maxTexts)
		part, err := o.embed(ctx, texts[:n])
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
		texts = texts[n:]
	}
	return out, nil
}

type embedRequest struct {
	Model      string   `json:"model"`
	Input      []string `json:"input"`
	Dimensions int      `json:"dimensions"`
	Format     string   `json:"encoding_format"`
}

type embedResponse struct {
	Data []struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
}

func (o *OpenAI) embed(ctx context.Context, texts []string) ([][]float32, error) {
	in := embedRequest{Model: o.config.Model, Input: make([]string, len(texts)), Dimensions: Dimensions, Format: "float"}
	for i, t := range texts {
		in.Input[i] = clip(t)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "The request to the embedding service cannot be written.")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return nil, errs.Wrap(errs.Validation, err, "The address of the embedding service is not valid.")
	}
	req.Header.Set("Content-Type", "application/json")
	if o.config.Key != "" {
		req.Header.Set("Authorization", "Bearer "+o.config.Key)
	}
	res, err := o.client.Do(req)
	if err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "The embedding service cannot be reached.")
	}
	defer res.Body.Close()
	limit := int64(perAnswer + len(texts)*perVector)
	text, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "The answer of the embedding service broke off.")
	}
	if res.StatusCode != http.StatusOK {
		return nil, statusError(res, text)
	}
	if int64(len(text)) > limit {
		return nil, errs.New(errs.Validation, "The answer of the embedding service is too large.")
	}
	return vectorsOf(text, len(texts))
}

// vectorsOf reads n vectors of an answer.
func vectorsOf(text []byte, n int) ([][]float32, error) {
	var answer embedResponse
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, errs.Wrap(errs.Validation, err, "The answer of the embedding service cannot be read.")
	}
	out := make([][]float32, n)
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= n || out[d.Index] != nil {
			return nil, errs.New(errs.Validation, "The embedding service returned vectors that were not asked for.")
		}
		if len(d.Embedding) != Dimensions {
			return nil, errs.Newf(errs.Validation, "The embedding service returned a vector of %d dimensions instead of %d.", len(d.Embedding), Dimensions)
		}
		length := 0.0
		for _, v := range d.Embedding {
			length += float64(v) * float64(v)
		}
		if length == 0 || math.IsInf(length, 0) {
			return nil, errs.New(errs.Validation, "The embedding service returned a vector without direction.")
		}
		out[d.Index] = d.Embedding
	}
	for _, v := range out {
		if v == nil {
			return nil, errs.New(errs.Validation, "The embedding service returned too few vectors.")
		}
	}
	return out, nil
}

// statusError is the error of an answer that is not 200. Only its codes go to the log: its message may repeat the text.
func statusError(res *http.Response, text []byte) error {
	var answer struct {
		Error struct {
			Type string `json:"type"`
			Code any    `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(text, &answer) // what is no JSON says nothing
	cause := fmt.Errorf("type %q, code %v", answer.Error.Type, answer.Error.Code)
	code := errs.Validation
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		code = errs.RateLimited
	case res.StatusCode >= 500, res.StatusCode == http.StatusRequestTimeout:
		code = errs.Unavailable
	}
	e := errs.Wrap(code, cause, fmt.Sprintf("The embedding service answered %d.", res.StatusCode))
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &Refused{err: e}
	}
	if code == errs.Validation {
		return e
	}
	return &Busy{err: e, After: retryAfter(res.Header.Get("Retry-After"))}
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(header string) time.Duration {
	if s, err := strconv.ParseInt(header, 10, 32); err == nil {
		return time.Duration(max(s, 0)) * time.Second
	}
	if t, err := http.ParseTime(header); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

// clip cuts a text at about maxTokens: three letters of ASCII are a token at least, and two bytes of anything else.
func clip(t string) string {
	t = strings.ToValidUTF8(t, "\uFFFD")
	sixths := 0
	for i, r := range t {
		if r < utf8.RuneSelf {
			sixths += 2
		} else {
			sixths += 3 * utf8.RuneLen(r)
		}
		if sixths > 6*maxTokens {
			return t[:i]
		}
	}
	return t
}
