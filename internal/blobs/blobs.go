// Package blobs keeps objects of any size by their keys: in a folder, or at a service that speaks S3.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"rolecall/internal/services/attachments"
)

var _ attachments.Storage = (*Store)(nil)

// Store keeps objects. Its methods may be called at the same time.
type Store struct {
	bucket *blob.Bucket
	// folder is where the objects are files, "" where they are elsewhere.
	folder string
}

// folderMode is that of folders of objects, which nobody else on the machine reads.
const folderMode = 0o750

// Open opens the store of an address: file:///path/of/a/folder, made where there is none, or s3://bucket with the parameters of
// gocloud.dev/blob/s3blob (region, endpoint, use_path_style, prefix and so on). Credentials are found as every program of AWS does.
func Open(ctx context.Context, address string) (*Store, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	switch parsed.Scheme {
	case fileblob.Scheme:
		if parsed.Host != "" && parsed.Host != "localhost" || parsed.RawQuery != "" || parsed.Path == "" {
			return nil, errors.New("must be of the form file:///path/of/a/folder")
		}
		return OpenFolder(filepath.FromSlash(parsed.Path))
	case s3blob.Scheme:
		parameters := parsed.Query()
		prefix := parameters.Get("prefix")
		parameters.Del("prefix")
		parsed.RawQuery = parameters.Encode()
		bucket, err := new(s3blob.URLOpener).OpenBucketURL(ctx, parsed)
		if err != nil {
			return nil, err
		}
		if prefix != "" {
			bucket = blob.PrefixedBucket(bucket, prefix)
		}
		return &Store{bucket: bucket}, nil
	default:
		return nil, errors.New("must be of the form file:///path/of/a/folder or s3://bucket?region=…")
	}
}

// OpenFolder opens the store whose objects are files in a folder, which is made where there is none.
func OpenFolder(folder string) (*Store, error) {
	bucket, err := fileblob.OpenBucket(folder, &fileblob.Options{
		CreateDir: true, DirFileMode: folderMode, NoTempDir: true, Metadata: fileblob.MetadataDontWrite,
	})
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	return &Store{bucket: bucket, folder: folder}, nil
}

// IsRemote reports whether each object that is put is sent elsewhere, and is held in memory on its way in parts of some megabytes.
func (s *Store) IsRemote() bool { return s.folder == "" }

// Close ends the use of the store.
func (s *Store) Close() error { return s.bucket.Close() }

// Put keeps an object, which is read to its end, in the place of any of the same key. When it returns the object is where it
// survives the end of the process, and of a machine whose disk is its own; where it fails nothing has changed.
func (s *Store) Put(ctx context.Context, key string, from io.Reader) (err error) {
	writing, discard := context.WithCancel(ctx)
	defer discard()
	var file *os.File
	writer, err := s.bucket.NewWriter(writing, key, &blob.WriterOptions{
		ContentType: "application/octet-stream", MaxConcurrency: 1, DisableContentTypeDetection: true,
		BeforeWrite: func(as func(any) bool) error {
			_ = as(&file) // it is none of a folder's
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("begin object: %w", err)
	}
	// Its own ReadFrom takes a megabyte of memory.
	if _, err := io.Copy(struct{ io.Writer }{writer}, from); err != nil {
		discard()
		_ = writer.Close() // which fails, as nothing is to be kept
		return err
	}
	if file != nil {
		err = file.Sync()
	}
	if err != nil {
		discard()
	}
	if err = errors.Join(err, writer.Close()); err != nil {
		return fmt.Errorf("write object: %w", err)
	}
	return s.syncFolder(key)
}

// syncFolder has a file be found after the machine has failed.
func (s *Store) syncFolder(key string) (err error) {
	if s.folder == "" || runtime.GOOS == "windows" { // which has no such thing
		return nil
	}
	folder, err := os.Open(filepath.Dir(filepath.Join(s.folder, filepath.FromSlash(key))))
	if err != nil {
		return fmt.Errorf("write folder: %w", err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("write folder: %w", err)
	}
	return nil
}

// Open reads a part of an object, from a place on: so many bytes, or to its end where length is negative. It fails with
// fs.ErrNotExist where there is none of that key.
func (s *Store) Open(ctx context.Context, key string, from, length int64) (io.ReadCloser, error) {
	reader, err := s.bucket.NewRangeReader(ctx, key, from, length, nil)
	if err != nil {
		return nil, known(err, "open object")
	}
	return reader, nil
}

// Delete removes an object. That there is none is no failure.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := known(s.bucket.Delete(ctx, key), "delete object"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// All goes through the objects in the order of their keys; what is left of one that was begun when a process ended is among them.
func (s *Store) All(ctx context.Context) iter.Seq2[attachments.Object, error] {
	return func(yield func(attachments.Object, error) bool) {
		list := s.bucket.List(nil)
		for {
			object, err := list.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(attachments.Object{}, known(err, "list objects"))
				return
			}
			if !yield(attachments.Object{Key: object.Key, ModTime: object.ModTime}, nil) {
				return
			}
		}
	}
}

func known(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return fmt.Errorf("%s: %w", doing, fs.ErrNotExist)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
