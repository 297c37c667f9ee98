package filetype_test

import (
	"testing"

	"rolecall/internal/filetype"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":                                 "text/plain",
		"plain words":                      "text/plain",
		"\x00\x01\x02\x03":                 "application/octet-stream",
		"\xff\xd8\xff\xe0\x00\x10JFIF\x00": "image/jpeg",
		"\x89PNG\r\n\x1a\n":                "image/png",
		"GIF89a\x01\x00\x01\x00":           "image/gif",
		"RIFF\x24\x00\x00\x00WEBPVP8 ":     "image/webp",
		"%PDF-1.7\n":                       "application/pdf",
		"<!DOCTYPE html><script>alert(1)</script>":           "text/html",
		"  \n<html><body onload=alert(1)>":                   "text/html",
		"<script>alert(1)</script>":                          "text/html",
		`<svg xmlns="http://www.w3.org/2000/svg"><script/>`:  "image/svg+xml",
		`<?xml version="1.0"?><svg onload="alert(1)"></svg>`: "image/svg+xml",
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic":   "image/heic",
		"MM\x00*\x00\x00\x00\x08":                            "image/tiff",
	} {
		if got := filetype.Of([]byte(content)); got != want {
			t.Errorf("%q is %s, want %s", content, got, want)
		}
	}
}
