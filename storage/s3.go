package storage

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// S3 says where a bucket is.
type S3 struct {
	Endpoint        string // URL of the service
	AccessKeyID     string
	SecretAccessKey string
	Bucket          string
	Region          string        // "auto" where the service has none
	PublicURL       string        // base URL at which everybody may read objects, "" for none
	Timeout         time.Duration // of silence; then a request is given up. Default 30 s
}

// tries of a request that failed for a passing reason, as a connection that the service has closed meanwhile.
const tries = 2

// OpenS3 returns the store in a bucket. It connects to nothing yet.
func OpenS3(ctx context.Context, c S3) (*Store, error) {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(c.Endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		HTTPClient:   &http.Client{Transport: transport(c.Timeout)},
		Region:       c.Region,
		UsePathStyle: true,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = tries, time.Second, ratelimit.None
		}),
		// Checksums of their newest kind are refused by many services that are not Amazon's; the caller has its own.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	b, err := s3blob.OpenBucket(ctx, client, c.Bucket, &s3blob.Options{RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired})
	if err != nil {
		return nil, err
	}
	return &Store{bucket: b, s3: client, name: c.Bucket, public: c.PublicURL}, nil
}

// transport gives up on a service that is silent for the timeout, however long a transfer takes in all.
func transport(silence time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: min(silence, 10*time.Second)}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &patient{Conn: conn, silence: silence}, nil
		},
		MaxIdleConnsPerHost: 32, IdleConnTimeout: silence, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: silence,
		ForceAttemptHTTP2: true,
	}
}

// patient is a connection on which each read and write may take so long.
type patient struct {
	net.Conn

	silence time.Duration
}

// Read reads within the time.
func (p *patient) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(time.Now().Add(p.silence)); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

// Write writes within the time.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(p.silence)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// SignGet returns a URL that gives an object to whoever has it, as the type and under the disposition of o. It asks nobody.
func (s *Store) SignGet(ctx context.Context, key string, o Object, lifetime time.Duration) (string, error) {
	url, err := s.bucket.SignedURL(ctx, key, &blob.SignedURLOptions{
		Method: http.MethodGet, Expiry: lifetime,
		BeforeSign: func(as func(any) bool) error {
			var in *s3.GetObjectInput
			if !as(&in) {
				return errors.New("storage: this is no request of S3")
			}
			in.ResponseContentType, in.ResponseContentDisposition = aws.String(o.ContentType), aws.String(o.ContentDisposition)
			return nil
		},
	})
	return url, fail(err)
}

// emptyMD5 is the sum of no bytes, in base64.
const emptyMD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="

// SignPut returns a URL that takes an object of exactly this size from whoever has it and sends the headers. It asks nobody.
func (s *Store) SignPut(ctx context.Context, key string, size int64, lifetime time.Duration) (string, map[string]string, error) {
	headers := map[string]string{}
	url, err := s.bucket.SignedURL(ctx, key, &blob.SignedURLOptions{
		Method: http.MethodPut, Expiry: lifetime,
		BeforeSign: func(as func(any) bool) error {
			var in *s3.PutObjectInput
			if !as(&in) {
				return errors.New("storage: this is no request of S3")
			}
			in.ContentLength = aws.Int64(size)
			if size == 0 { // such a length is not signed
				in.ContentMD5 = aws.String(emptyMD5)
				headers["content-md5"] = emptyMD5
			}
			return nil
		},
	})
	return url, headers, fail(err)
}

// AbortUploads forgets the parts of uploads under a prefix that were begun before a moment and never ended, as a killed process
// leaves them. It returns how many there were.
func (s *Store) AbortUploads(ctx context.Context, prefix string, before time.Time) (int, error) {
	if s.s3 == nil {
		return 0, nil
	}
	n := 0
	// Pages go by the key alone: the id of an upload that is gone by now is no place to go on from, and some services know none
	// at all. Of a key with several uploads at the end of a page the next call finds the rest.
	in := &s3.ListMultipartUploadsInput{Bucket: &s.name, Prefix: &prefix}
	for {
		page, err := s.s3.ListMultipartUploads(ctx, in)
		if err != nil {
			return n, fail(err)
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || !u.Initiated.Before(before) {
				continue
			}
			_, err := s.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: u.Key, UploadId: u.UploadId})
			if _, gone := errors.AsType[*types.NoSuchUpload](err); gone {
				continue
			}
			if err != nil {
				return n, fail(err)
			}
			n++
		}
		if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextKeyMarker) == "" {
			return n, nil
		}
		in.KeyMarker = page.NextKeyMarker
	}
}
