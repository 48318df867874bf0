package storage

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Begin begins an upload in parts, and leaves it.
func Begin(ctx context.Context, s *Store, key string) error {
	_, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.name, Key: &key})
	return err
}
