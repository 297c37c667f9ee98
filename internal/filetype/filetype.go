// Package filetype finds out what a file is by how it begins, whatever it is called.
package filetype

import (
	"mime"
	"net/http"

	"github.com/gabriel-vasile/mimetype"
)

// Sniffed is how much of a file tells what it is, in bytes.
const Sniffed = 3072

// Of is the media type of a file that begins with head, without parameters; application/octet-stream for what is nothing known.
// What a browser would take for a page is called one.
func Of(head []byte) string {
	if browsers := bare(http.DetectContentType(head)); browsers == "text/html" {
		return browsers
	}
	return bare(mimetype.Detect(head).String())
}

func bare(media string) string {
	if name, _, err := mime.ParseMediaType(media); err == nil {
		return name
	}
	return media
}
