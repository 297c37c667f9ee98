package config

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// readHeaders reads the file with headers for the collector of traces. Its errors have nothing of what is in it.
func (c *Config) readHeaders() error {
	if c.OTLPHeadersFile == "" {
		return nil
	}
	content, err := readKeyFile(c.OTLPHeadersFile)
	if err != nil {
		return bad("otlp-headers-file", err.Error())
	}
	c.OTLPHeaders = make(map[string]string)
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		value = textproto.TrimString(value)
		if !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return bad("otlp-headers-file", fmt.Sprintf("line %d of %s is not of the form Name: value", number, c.OTLPHeadersFile))
		}
		c.OTLPHeaders[http.CanonicalHeaderKey(name)] = value
	}
	return nil
}
