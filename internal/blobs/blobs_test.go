package blobs_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"rolecall/internal/blobs"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// s3 is the address of a bucket at a service that speaks S3.
func s3(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return "s3://files?region=eu-central-1&use_path_style=true&prefix=chat/&response_checksum_validation=when_required&endpoint=" + url.QueryEscape(server.URL)
}

func TestStores(t *testing.T) {
	for name, address := range map[string]string{"folder": "file://" + filepath.Join(t.TempDir(), "new", "folder"), "S3": s3(t)} {
		t.Run(name, func(t *testing.T) {
			store, err := blobs.Open(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			}()
			if store.IsRemote() != (name == "S3") {
				t.Errorf("is elsewhere: %t", store.IsRemote())
			}
			keepsObjects(t, store)
		})
	}
}

func keepsObjects(t *testing.T, store *blobs.Store) {
	t.Helper()
	content := make([]byte, 11<<20) // in several parts
	_, _ = rand.Read(content)
	for key, bytesOf := range map[string][]byte{"a/large": content, "b/small": []byte("small"), "b/none": {}} {
		if err := store.Put(t.Context(), key, bytes.NewReader(bytesOf)); err != nil {
			t.Fatalf("put %s: %v", key, err)
		}
	}
	for _, part := range []struct {
		key          string
		from, length int64
		want         []byte
	}{
		{"a/large", 0, -1, content}, {"a/large", 7 << 20, -1, content[7<<20:]}, {"a/large", 5, 10, content[5:15]}, {"b/small", 0, -1, []byte("small")},
		{"b/none", 0, -1, nil},
	} {
		reader, err := store.Open(t.Context(), part.key, part.from, part.length)
		if err != nil {
			t.Fatalf("open %s: %v", part.key, err)
		}
		got, err := io.ReadAll(reader)
		if err = errors.Join(err, reader.Close()); err != nil || !bytes.Equal(got, part.want) {
			t.Errorf("%s from %d: %d bytes, %v", part.key, part.from, len(got), err)
		}
	}
	if err := store.Put(t.Context(), "b/small", strings.NewReader("another")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	failing := io.MultiReader(bytes.NewReader(content[:6<<20]), iotest.ErrReader(broken))
	if err := store.Put(t.Context(), "c/broken", failing); !errors.Is(err, broken) {
		t.Errorf("put of what cannot be read: %v", err)
	}
	if _, err := store.Open(t.Context(), "c/broken", 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what could not be put is there: %v", err)
	}
	if err := errors.Join(store.Delete(t.Context(), "a/large"), store.Delete(t.Context(), "none")); err != nil {
		t.Errorf("delete: %v", err)
	}
	var keys []string
	for object, err := range store.All(t.Context()) {
		if err != nil || object.ModTime.IsZero() {
			t.Fatalf("list: %+v, %v", object, err)
		}
		keys = append(keys, object.Key)
	}
	if want := []string{"b/none", "b/small"}; !slices.Equal(keys, want) {
		t.Errorf("kept are %v, want %v", keys, want)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "files", "http://a", "file://host/a", "file://", "file:///a?b=c", "s3://?region=a", "s3://a?unknown=b", "gs://a", ":"} {
		if store, err := blobs.Open(t.Context(), address); err == nil {
			_ = store.Close()
			t.Errorf("%q is taken for an address", address)
		}
	}
}
