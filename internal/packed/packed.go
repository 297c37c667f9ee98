// Package packed serves files that are embedded in the program, some of them compressed.
package packed

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// File is one embedded file.
type File struct {
	contentType string
	etag        string
	plain       []byte
	// zipped is plain compressed by gzip; empty where that is not worth it.
	zipped []byte
}

// Plain is a file as it is.
func Plain(contentType string, content []byte) File {
	return File{contentType: contentType, etag: etagOf(content), plain: content}
}

// Zipped is a file that is kept compressed by gzip, as most clients take it.
func Zipped(contentType string, compressed []byte) File {
	return File{contentType: contentType, etag: etagOf(compressed), zipped: compressed}
}

// ContentType is the type of a file of this name. It does not ask package mime, whose answers depend on tables of the machine
// that it runs on.
func ContentType(name string) (string, error) {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8", nil
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".map":
		return "application/json; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	case ".png":
		return "image/png", nil
	case ".woff2":
		return "font/woff2", nil
	default:
		return "", fmt.Errorf("no content type known for %s", name)
	}
}

func etagOf(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:12])
}

// ServeHTTP implements http.Handler. Names of files carry no version, so browsers keep a copy and ask again each time by
// ETag.
func (f File) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", "public, no-cache")
	content, etag := f.plain, f.etag
	if f.zipped != nil {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			header.Set("Content-Encoding", "gzip")
			content, etag = f.zipped, etag+"-gzip"
		} else if unzipped, err := unzip(f.zipped); err == nil { // the tests read every file
			content = unzipped
		}
	}
	header.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reads Accept-Encoding as far as browsers write it: names, some with a weight, of which 0 refuses.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";")
			if strings.EqualFold(name, "gzip") {
				return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
			}
		}
	}
	return false
}

func unzip(zipped []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}
