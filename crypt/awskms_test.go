package crypt_test

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"stackforge/crypt"
)

// moto starts moto_server (PyPI, Apache-2.0), a server that speaks the protocol of AWS's key service, and points the process's
// variables to it. Without the program on the PATH the test is skipped.
func moto(t *testing.T) {
	t.Helper()

	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("it needs moto_server: scripts/pypi moto_server moto==5.2.5 flask flask-cors")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, "-H", host, "-p", port)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		return err == nil && c.Close() == nil
	}, 30*time.Second, 50*time.Millisecond)
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://"+addr)
}

func awsEnvironment(t *testing.T) {
	t.Helper()

	t.Setenv("AWS_ACCESS_KEY_ID", "key-of-the-test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
}

// newAWSKey makes a key at the service, and returns its URI.
func newAWSKey(t *testing.T) string {
	t.Helper()

	c, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("eu-central-1"))
	require.NoError(t, err)
	made, err := kms.NewFromConfig(c).CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	return "aws-kms://" + *made.KeyMetadata.Arn
}

// TestAWSKMS is TestKEK for a key that stays at a service.
func TestAWSKMS(t *testing.T) { //nolint:paralleltest // the variables are the process's
	awsEnvironment(t)
	moto(t)
	uri := newAWSKey(t)
	require.Regexp(t, `^aws-kms://arn:aws:kms:eu-central-1:\d+:key/`, uri)
	kek, err := crypt.OpenKEK(uri, crypt.FileKMS{}, crypt.AWSKMS{})
	require.NoError(t, err)
	r := newRing(t)
	text, err := r.Text(kek)
	require.NoError(t, err)
	again, err := crypt.Parse(text, kek)
	require.NoError(t, err)
	_, err = again.Decrypt(one, 7, seal(t, r))
	require.NoError(t, err)
	for range 10 { // a service encrypts 4 KiB at most
		again, err = again.Rotate()
		require.NoError(t, err)
	}
	_, err = again.Text(kek)
	require.NoError(t, err)

	bound, err := kek.Encrypt([]byte("bytes"), []byte("here"))
	require.NoError(t, err)
	plain, err := kek.Decrypt(bound, []byte("here"))
	require.NoError(t, err)
	require.Equal(t, "bytes", string(plain))
	_, err = kek.Decrypt(bound, []byte("there"))
	require.Error(t, err)

	other, err := crypt.OpenKEK(newAWSKey(t), crypt.AWSKMS{})
	require.NoError(t, err)
	_, err = crypt.Parse(text, other)
	require.ErrorContains(t, err, "the key that encrypts this keyset: the key service: ")
	_, err = crypt.Parse(text, nil)
	require.Error(t, err)
	unknown, err := crypt.OpenKEK("aws-kms://arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000", crypt.AWSKMS{})
	require.NoError(t, err)
	_, err = r.Text(unknown)
	require.ErrorContains(t, err, "the key service: ")
}

func TestAWSKMSAway(t *testing.T) {
	awsEnvironment(t)
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
	kek, err := crypt.OpenKEK("aws-kms://arn:aws:kms:eu-central-1:123456789012:alias/payloads", crypt.AWSKMS{})
	require.NoError(t, err)
	_, err = newRing(t).Text(kek)
	require.ErrorContains(t, err, "the key service: ")
	for _, uri := range []string{"aws-kms://", "aws-kms://key", "aws-kms://arn:aws:s3:::bucket", "aws-kms://arn:aws:kms::123456789012:key/x", "gcp-kms://projects/x"} {
		_, err := crypt.OpenKEK(uri, crypt.FileKMS{}, crypt.AWSKMS{})
		require.Error(t, err, uri)
	}
}
