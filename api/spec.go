// Package api is the HTTP door: the contract's documents, the REST routes under /api/v1, and health.
package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the contract's documents
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openAPIDocument string

//go:embed asyncapi.yaml
var asyncAPIDocument string

// OpenAPIYAML returns the REST contract, an OpenAPI 3.1 document, as a copy of the caller's own.
func OpenAPIYAML() []byte { return []byte(openAPIDocument) }

// AsyncAPIYAML returns the event contract, an AsyncAPI 3.0 document, as a copy of the caller's own.
func AsyncAPIYAML() []byte { return []byte(asyncAPIDocument) }

// DocsHandler returns a handler that serves both documents as one page to read. The page is made once, here; it loads
// nothing and runs no script, and its Content-Security-Policy allows its own style sheet alone.
func DocsHandler() http.Handler {
	page, err := renderDocs(openAPIDocument, asyncAPIDocument)
	digest := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if err != nil { // a broken embedded document: the tests keep it from being built
			http.Error(w, "The page cannot be made; see /openapi.yaml and /asyncapi.yaml", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(page) // the reader may go away
	})
}

func renderDocs(openAPI, asyncAPI string) ([]byte, error) {
	rest, err := parseDocument(openAPI)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	events, err := parseDocument(asyncAPI)
	if err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	layout, err := template.New("docs").Parse(docsLayout)
	if err != nil {
		return nil, fmt.Errorf("page layout: %w", err)
	}
	sent, heard := docEvents(events)
	var page bytes.Buffer
	err = layout.Execute(&page, map[string]any{
		"Style":      template.CSS(docsStyle), //nolint:gosec // a constant of this file
		"REST":       prose(rest.at("info", "description")),
		"Events":     prose(events.at("info", "description")),
		"Routes":     docRoutes(rest),
		"FromClient": sent,
		"FromServer": heard,
		"Schemas":    docSchemas(rest, events),
	})
	if err != nil {
		return nil, fmt.Errorf("fill the page: %w", err)
	}
	return page.Bytes(), nil
}

// node is a part of a document whose members keep their order.
type node struct{ value any }

type member struct {
	name string
	node node
}

func parseDocument(text string) (node, error) {
	var root yaml.MapSlice
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.UseOrderedMap()).Decode(&root); err != nil {
		return node{}, fmt.Errorf("not YAML: %w", err)
	}
	return node{root}, nil
}

// at follows member names; a missing member gives the empty node.
func (n node) at(path ...string) node {
	for _, name := range path {
		var next node
		for _, m := range n.members() {
			if m.name == name {
				next = m.node
			}
		}
		n = next
	}
	return n
}

func (n node) members() []member {
	fields, _ := n.value.(yaml.MapSlice)
	members := make([]member, 0, len(fields))
	for _, field := range fields {
		members = append(members, member{name: fmt.Sprint(field.Key), node: node{field.Value}})
	}
	return members
}

func (n node) items() []node {
	values, _ := n.value.([]any)
	items := make([]node, 0, len(values))
	for _, value := range values {
		items = append(items, node{value})
	}
	return items
}

func (n node) text() string {
	if n.value == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(n.value))
}

func (n node) texts() []string {
	var texts []string
	for _, item := range n.items() {
		texts = append(texts, item.text())
	}
	return texts
}

// resolve follows a reference within root, if the node is one.
func (n node) resolve(root node) node {
	target, isRef := strings.CutPrefix(n.at("$ref").text(), "#/")
	if !isRef {
		return n
	}
	return root.at(strings.Split(target, "/")...).resolve(root)
}

// line is a line of a schema's source; Ref names the schema it refers to.
type line struct{ Text, Ref string }

// source is the YAML of a node, a line at a time.
func (n node) source() []line {
	if n.value == nil {
		return nil
	}
	encoded, err := yaml.Marshal(n.value)
	if err != nil {
		return []line{{Text: err.Error()}}
	}
	const mark = "#/components/schemas/"
	var lines []line
	for text := range strings.Lines(strings.TrimSpace(string(encoded))) {
		text = strings.TrimRight(text, "\n")
		before, name, isRef := strings.Cut(text, mark)
		if isRef {
			before, _, _ = strings.Cut(before, "$ref:")
			lines = append(lines, line{Text: before, Ref: strings.Trim(name, `"'`)})
			continue
		}
		lines = append(lines, line{Text: text})
	}
	return lines
}

// span is a run of text of one kind: "", "code" or "strong".
type span struct{ Kind, Text string }

// prose splits the little Markdown the documents use (paragraphs, `code`, **strong**) into paragraphs of spans.
func prose(n node) [][]span {
	var paragraphs [][]span
	for _, paragraph := range strings.Split(n.text(), "\n\n") {
		var spans []span
		for i, part := range strings.Split(paragraph, "`") {
			if i%2 == 1 {
				spans = append(spans, span{"code", part})
				continue
			}
			for j, piece := range strings.Split(part, "**") {
				kind := ""
				if j%2 == 1 {
					kind = "strong"
				}
				if piece != "" {
					spans = append(spans, span{kind, piece})
				}
			}
		}
		if len(spans) > 0 {
			paragraphs = append(paragraphs, spans)
		}
	}
	return paragraphs
}

type docRoute struct {
	Method, Path, Summary string
	About                 [][]span
	Roles                 []string
	Parameters            []docPart
	Body                  []line
	Responses             []docPart
}

// docPart is a parameter or a response.
type docPart struct {
	Name, Place string
	About       [][]span
	Schema      []line
}

func docRoutes(root node) []docRoute {
	var routes []docRoute
	for _, path := range root.at("paths").members() {
		shared := path.node.at("parameters").items()
		for _, operation := range path.node.members() {
			if operation.name == "parameters" {
				continue
			}
			o := operation.node
			route := docRoute{
				Method: strings.ToUpper(operation.name), Path: path.name, Summary: o.at("summary").text(),
				About: prose(o.at("description")), Roles: o.at("x-roles").texts(),
				Body: o.at("requestBody", "content", "application/json", "schema").source(),
			}
			for _, parameter := range append(shared[:len(shared):len(shared)], o.at("parameters").items()...) {
				p := parameter.resolve(root)
				route.Parameters = append(route.Parameters, docPart{
					Name: p.at("name").text(), Place: p.at("in").text(),
					About: prose(p.at("description")), Schema: p.at("schema").source(),
				})
			}
			for _, response := range o.at("responses").members() {
				r := response.node.resolve(root)
				route.Responses = append(route.Responses, docPart{
					Name: response.name, About: prose(r.at("description")),
					Schema: r.at("content", "application/json", "schema").source(),
				})
			}
			routes = append(routes, route)
		}
	}
	return routes
}

type docEvent struct {
	Name, Title, Limit string
	About              [][]span
	Roles, Namespaces  []string
	Payload, Ack       []line
}

// docEvents returns what clients send and what the server sends, in the order of the document.
func docEvents(root node) (sent, heard []docEvent) {
	for _, operation := range root.at("operations").members() {
		o := operation.node
		for _, reference := range o.at("messages").items() {
			message := reference.resolve(root)
			event := docEvent{
				Name: message.at("name").text(), Title: o.at("title").text(), Limit: o.at("x-rate-limit").text(),
				About: prose(o.at("description")), Roles: o.at("x-roles").texts(),
				Namespaces: namespacesOf(root, reference), Payload: message.at("payload").source(),
			}
			for _, reply := range o.at("reply", "messages").items() {
				event.Ack = append(event.Ack, reply.resolve(root).at("payload").source()...)
			}
			if o.at("action").text() == "receive" {
				sent = append(sent, event)
			} else {
				heard = append(heard, event)
			}
		}
	}
	return sent, heard
}

// namespacesOf lists the addresses of the channels that carry the message a channel reference ends in.
func namespacesOf(root, reference node) []string {
	target := reference.at("$ref").text()
	key := target[strings.LastIndex(target, "/")+1:]
	var addresses []string
	for _, channel := range root.at("channels").members() {
		if channel.node.at("messages", key).value != nil {
			addresses = append(addresses, channel.node.at("address").text())
		}
	}
	return addresses
}

type docSchema struct {
	Name   string
	Source []line
}

// docSchemas lists the schemas of the documents; those of the same name are the same.
func docSchemas(roots ...node) []docSchema {
	known := make(map[string]bool)
	var schemas []docSchema
	for _, root := range roots {
		for _, schema := range root.at("components", "schemas").members() {
			if !known[schema.name] {
				known[schema.name] = true
				schemas = append(schemas, docSchema{Name: schema.name, Source: schema.node.source()})
			}
		}
	}
	return schemas
}

const docsStyle = `
:root{color-scheme:light dark;--line:color-mix(in srgb,CanvasText 18%,Canvas);--soft:color-mix(in srgb,CanvasText 6%,Canvas)}
body{font:16px/1.55 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem 1.25rem 4rem}
h1{font-size:1.8rem}h2{margin-top:3rem;border-bottom:1px solid var(--line)}
h3{margin:2rem 0 .25rem;font-size:1.05rem}h4{margin:.75rem 0 .25rem;font-size:.85rem;opacity:.75}
code,pre,.name{font-family:ui-monospace,monospace;font-size:.9em}
code{background:var(--soft);padding:.1em .3em;border-radius:4px}
pre{background:var(--soft);padding:.6rem .8rem;border-radius:6px;overflow-x:auto;margin:.4rem 0;line-height:1.4}
p{margin:.4rem 0}dl{margin:.3rem 0;display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.3rem 1rem}
dd{margin:0;min-width:0}dd p{margin:0}.meta{opacity:.75;font-size:.9rem}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem}
@media(max-width:40rem){dl{grid-template-columns:1fr}}
`

const docsLayout = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rolecall: the contract</title>
<style>{{.Style}}</style>
</head>
<body>
{{define "prose"}}{{range .}}<p>{{range .}}{{if eq .Kind "code"}}<code>{{.Text}}</code>{{else if eq .Kind "strong"}}<strong>{{.Text}}</strong>{{else}}{{.Text}}{{end}}{{end}}</p>
{{end}}{{end}}
{{define "source"}}{{if .}}<pre>{{range .}}{{.Text}}{{if .Ref}}<a href="#schema-{{.Ref}}">{{.Ref}}</a>{{end}}
{{end}}</pre>{{end}}{{end}}
{{define "parts"}}<dl>{{range .}}<dt><code>{{.Name}}</code> {{.Place}}</dt><dd>{{template "prose" .About}}{{template "source" .Schema}}</dd>
{{end}}</dl>{{end}}
{{define "event"}}<p class="meta">On {{range $i, $n := .Namespaces}}{{if $i}}, {{end}}<code>{{$n}}</code>{{end}}{{if .Roles}} · only {{range $i, $r := .Roles}}{{if $i}}, {{end}}{{$r}}{{end}}{{end}}{{if .Limit}} · at most {{.Limit}}{{end}}</p>
<p>{{.Title}}.</p>
{{template "prose" .About}}<h4>Payload</h4>{{template "source" .Payload}}{{if .Ack}}<h4>Ack</h4>{{template "source" .Ack}}{{end}}{{end}}
<h1>Rolecall: the contract</h1>
<nav><a href="#rest">REST</a> <a href="#sent">Events from clients</a> <a href="#heard">Events from the server</a> <a href="#schemas">Schemas</a> <a href="/openapi.yaml">openapi.yaml</a> <a href="/asyncapi.yaml">asyncapi.yaml</a></nav>
<main>
<h2 id="rest">REST</h2>
{{template "prose" .REST}}
{{range .Routes}}<h3 class="name" id="{{.Method}}-{{.Path}}">{{.Method}} {{.Path}}</h3>
<p>{{.Summary}}.{{if .Roles}} <span class="meta">Only {{range $i, $r := .Roles}}{{if $i}}, {{end}}{{$r}}{{end}}.</span>{{end}}</p>
{{template "prose" .About}}{{if .Parameters}}<h4>Parameters</h4>{{template "parts" .Parameters}}{{end}}{{if .Body}}<h4>Body</h4>{{template "source" .Body}}{{end}}<h4>Responses</h4>{{template "parts" .Responses}}
{{end}}
<h2 id="sent">Events from clients</h2>
{{template "prose" .Events}}
{{range .FromClient}}<h3 class="name" id="sent-{{.Name}}">{{.Name}}</h3>
{{template "event" .}}
{{end}}
<h2 id="heard">Events from the server</h2>
{{range .FromServer}}<h3 class="name" id="heard-{{.Name}}">{{.Name}}</h3>
{{template "event" .}}
{{end}}
<h2 id="schemas">Schemas</h2>
{{range .Schemas}}<h3 class="name" id="schema-{{.Name}}">{{.Name}}</h3>
{{template "source" .Source}}
{{end}}
</main>
</body>
</html>
`
