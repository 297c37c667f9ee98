package docs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// explainREST returns an OpenAPI document as JSON, in which the extensions that no renderer shows are told in words: who
// may call.
func explainREST(document []byte) ([]byte, error) {
	root, err := parse(document)
	if err != nil {
		return nil, err
	}
	for _, path := range object(root, "paths") {
		methods, _ := path.Value.(yaml.MapSlice)
		for i, method := range methods {
			if operation, ok := method.Value.(yaml.MapSlice); ok { // and not the parameters of all
				methods[i].Value = describe(operation, conditions(operation))
			}
		}
	}
	return toJSON(with(root, "externalDocs", link("openapi.yaml")))
}

// explainEvents does the same for an AsyncAPI document, says on which namespaces an event goes, and puts what the
// renderer would leave out where it looks: an operation's title is the name of its event, its acknowledgement stands
// among its messages, and what clients send and what the server sends are two channels.
func explainEvents(document []byte) ([]byte, error) {
	root, err := parse(document)
	if err != nil {
		return nil, err
	}
	operations := object(root, "operations")
	for i := range operations {
		operation, _ := operations[i].Value.(yaml.MapSlice)
		operations[i].Value = explainEvent(root, operation)
	}
	channels := yaml.MapSlice{}
	for _, action := range []struct{ name, title string }{{"receive", "Sent by clients"}, {"send", "Sent by the server"}} {
		for _, channel := range object(root, "channels") {
			copied := append(yaml.MapSlice(nil), channel.Value.(yaml.MapSlice)...)
			title := fmt.Sprintf("%s, on %v", action.title, value(copied, "address"))
			channels = append(channels, yaml.MapItem{Key: fmt.Sprint(channel.Key, "-", action.name), Value: with(copied, "title", title)})
		}
	}
	return toJSON(with(with(root, "channels", channels), "externalDocs", link("asyncapi.yaml")))
}

func explainEvent(root, operation yaml.MapSlice) yaml.MapSlice {
	messages, _ := value(operation, "messages").([]any)
	lead := fmt.Sprintf("**%v.** ", value(operation, "title"))
	if len(messages) > 0 {
		key, message := message(root, messages[0])
		if name := value(message, "name"); name != nil {
			operation = with(operation, "title", name)
		}
		lead += conditions(operation) + "On " + list("and", namespacesOf(root, key)) + "."
	}
	if acks, ok := value(object(operation, "reply"), "messages").([]any); ok {
		for _, ack := range acks { // messages are shown in the order of their titles: this one's behind its event's
			_, message := message(root, ack)
			with(message, "title", fmt.Sprintf("%v, acknowledged", value(message, "name")))
		}
		operation = with(without(operation, "reply"), "messages", append(messages[:len(messages):len(messages)], acks...))
	}
	suffix := fmt.Sprint("-", value(operation, "action"))
	renamed, _ := rename(describe(operation, lead), func(reference string) string {
		channel, rest, _ := strings.Cut(strings.TrimPrefix(reference, "#/channels/"), "/")
		return strings.TrimSuffix("#/channels/"+channel+suffix+"/"+rest, "/")
	}).(yaml.MapSlice)
	return renamed
}

// conditions says who may use an operation, and how often.
func conditions(operation yaml.MapSlice) string {
	var sentences string
	if roles, ok := value(operation, "x-roles").([]any); ok {
		sentences += "Only " + list("and", roles) + ". "
	}
	if limit := value(operation, "x-rate-limit"); limit != nil {
		sentences += fmt.Sprintf("At most %v. ", limit)
	}
	return sentences
}

// describe puts a paragraph before what an operation says of itself.
func describe(operation yaml.MapSlice, lead string) yaml.MapSlice {
	description, _ := value(operation, "description").(string)
	return with(operation, "description", strings.TrimSpace(strings.TrimSpace(lead)+"\n\n"+description))
}

// message finds the message that a reference to a channel's leads to, and its key there.
func message(root yaml.MapSlice, reference any) (key string, message yaml.MapSlice) {
	target, _ := reference.(yaml.MapSlice)
	path := strings.Split(fmt.Sprint(value(target, "$ref")), "/")
	key = path[len(path)-1]
	return key, object(object(root, "components"), "messages", key)
}

// namespacesOf lists the addresses of the channels that carry a message.
func namespacesOf(root yaml.MapSlice, key string) []any {
	var addresses []any
	for _, channel := range object(root, "channels") {
		namespace, _ := channel.Value.(yaml.MapSlice)
		if value(object(namespace, "messages"), key) != nil {
			addresses = append(addresses, value(namespace, "address"))
		}
	}
	return addresses
}

// list writes `a`, `b` and `c`.
func list(last string, words []any) string {
	var text strings.Builder
	for i, word := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text.WriteString(" " + last + " ")
		default:
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "`%v`", word)
	}
	return text.String()
}

func link(name string) yaml.MapSlice {
	return yaml.MapSlice{{Key: "url", Value: "/" + name}, {Key: "description", Value: name}}
}

// rename changes every reference to a channel within a value.
func rename(within any, change func(reference string) string) any {
	switch v := within.(type) {
	case yaml.MapSlice:
		for i, item := range v {
			reference, isText := item.Value.(string)
			if item.Key == "$ref" && isText && strings.HasPrefix(reference, "#/channels/") {
				v[i].Value = change(reference)
			} else {
				v[i].Value = rename(item.Value, change)
			}
		}
	case []any:
		for i := range v {
			v[i] = rename(v[i], change)
		}
	}
	return within
}

func parse(document []byte) (yaml.MapSlice, error) {
	var root yaml.MapSlice // whose members keep their order
	if err := yaml.UnmarshalWithOptions(document, &root, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	return root, nil
}

func toJSON(root yaml.MapSlice) ([]byte, error) {
	document, err := yaml.MarshalWithOptions(root, yaml.JSON())
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return document, nil
}

// value is a member of an object, nil where there is none.
func value(of yaml.MapSlice, name string) any {
	for _, item := range of {
		if item.Key == name {
			return item.Value
		}
	}
	return nil
}

// object follows member names to an object, which is empty where there is none.
func object(of yaml.MapSlice, path ...string) yaml.MapSlice {
	for _, name := range path {
		of, _ = value(of, name).(yaml.MapSlice)
	}
	return of
}

func without(of yaml.MapSlice, name string) yaml.MapSlice {
	return slices.DeleteFunc(of, func(item yaml.MapItem) bool { return item.Key == name })
}

// with sets a member of an object.
func with(of yaml.MapSlice, name string, member any) yaml.MapSlice {
	for i, item := range of {
		if item.Key == name {
			of[i].Value = member
			return of
		}
	}
	return append(of, yaml.MapItem{Key: name, Value: member})
}
