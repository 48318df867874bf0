package crypt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// AWSKMS has keys at AWS's key service, or another of its protocol: aws-kms://arn:aws:kms:<region>:<account>:key/<id>, or alias/<name>
// at the end. The key itself never leaves the service; each keyset that is read or written is one request. Credentials and the
// address are found as by AWS's own tools: AWS_ACCESS_KEY_ID and its like, a profile, the role of the machine, AWS_ENDPOINT_URL_KMS.
type AWSKMS struct{}

var _ registry.KMSClient = AWSKMS{}

const awsScheme = "aws-kms://"

// kmsTime is how long one request to a key service may take, with its repetitions.
const kmsTime = 30 * time.Second

// Supported says whether the URI is one of this service's.
func (AWSKMS) Supported(uri string) bool { return strings.HasPrefix(uri, awsScheme) }

// GetAEAD returns the key. It asks nobody yet.
func (AWSKMS) GetAEAD(uri string) (tink.AEAD, error) { //nolint:ireturn // registry.KMSClient has it so
	name := strings.TrimPrefix(uri, awsScheme)
	id, err := arn.Parse(name)
	if err != nil || id.Service != "kms" || id.Region == "" {
		return nil, errors.New("a key of AWS is aws-kms://arn:aws:kms:<region>:<account>:key/<id>")
	}
	ctx, cancel := kmsContext()
	defer cancel()
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(id.Region))
	if err != nil {
		return nil, fmt.Errorf("the settings of AWS: %w", err)
	}
	return &awsKey{client: kms.NewFromConfig(c), id: name}, nil
}

// awsKey encrypts as Tink's own client of the service does, so that either reads what the other wrote.
type awsKey struct {
	client *kms.Client
	id     string
}

// Encrypt has the service encrypt.
func (k *awsKey) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	ctx, cancel := kmsContext()
	defer cancel()
	out, err := k.client.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(k.id), Plaintext: plaintext, EncryptionContext: encryptionContext(associatedData)})
	if err != nil {
		return nil, fmt.Errorf("the key service: %w", err)
	}
	return out.CiphertextBlob, nil
}

// Decrypt has the service decrypt.
func (k *awsKey) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	ctx, cancel := kmsContext()
	defer cancel()
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{KeyId: aws.String(k.id), CiphertextBlob: ciphertext, EncryptionContext: encryptionContext(associatedData)})
	if err != nil {
		return nil, fmt.Errorf("the key service: %w", err)
	}
	return out.Plaintext, nil
}

// encryptionContext is what the service binds a ciphertext to, and writes into its own audit log.
func encryptionContext(associatedData []byte) map[string]string {
	if len(associatedData) == 0 {
		return nil
	}
	return map[string]string{"associatedData": hex.EncodeToString(associatedData)}
}

func kmsContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), kmsTime) //nolint:forbidigo // Tink passes none on
}
