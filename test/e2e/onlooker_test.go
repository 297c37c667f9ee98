package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// onlooker is an admin at the Admin UI: what its page would know of the server, by what it is told.
type onlooker struct {
	*sioclient.Client
	t *testing.T
	// session and features are as told last.
	session  string
	features []string
	// sockets are by namespace and id, each with its rooms; the first list of them had as many as first says.
	sockets map[string]*lookedAt
	first   int
	servers map[string]figures
	// passed has each event, connection and end: "received / <id> name".
	passed []string
	// raw is everything that was told.
	raw strings.Builder
}

type lookedAt struct {
	ID, ClientID, Transport, Nsp string
	Rooms                        []string
	Data                         struct{ UserID, Username, Role, CompanyID string }
	Handshake                    struct {
		Address        string
		Headers, Query map[string]string
		Issued         int64
	}
}

type figures struct {
	ServerID            string
	ClientsCount        int
	PollingClientsCount int
	Namespaces          []struct {
		Name         string
		SocketsCount int
	}
	AggregatedEvents []struct {
		Timestamp     int64
		Type, SubType string
		Count         int64
	}
}

// lookOn connects to the Admin UI's namespace, which may refuse that.
func lookOn(t *testing.T, url string, auth any) (*onlooker, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	client, err := sioclient.Dial(ctx, url, sioclient.Options{Namespace: "/admin", Auth: auth})
	if err != nil {
		return nil, err
	}
	t.Cleanup(client.Close)
	return &onlooker{Client: client, t: t, sockets: map[string]*lookedAt{}, servers: map[string]figures{}}, nil
}

// mustLookOn is lookOn for who is let in, and has been told what there is.
func mustLookOn(t *testing.T, url string, auth any) *onlooker {
	t.Helper()
	o, err := lookOn(t, url, auth)
	if err != nil {
		t.Fatalf("refused at the Admin UI: %v", err)
	}
	o.until("figures are told", func() bool { return len(o.servers) > 0 })
	return o
}

// until takes in what is told until a condition holds.
func (o *onlooker) until(what string, holds func() bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), harness.Deadline)
	defer cancel()
	for !holds() {
		told, err := o.Next(ctx)
		if err != nil {
			o.t.Fatalf("the Admin UI was not told that %s: %v; it knows %d sockets, %v", what, err, len(o.sockets), o.passed)
		}
		o.take(told)
	}
}

// take does what the page does with an event.
func (o *onlooker) take(told sioclient.Event) {
	o.t.Helper()
	arguments, _ := json.Marshal(told.Args)
	o.raw.WriteString(told.Name + string(arguments) + "\n")
	texts := make([]string, len(told.Args))
	for i, argument := range told.Args {
		_ = json.Unmarshal(argument, &texts[i]) // those that are texts
	}
	switch told.Name {
	case "session":
		o.session = texts[0]
	case "config":
		o.features = harness.Decode[struct{ SupportedFeatures []string }](o.t, told.Args[0]).SupportedFeatures
	case "server_stats":
		of := harness.Decode[figures](o.t, told.Args[0])
		o.servers[of.ServerID] = of
	case "all_sockets":
		all := harness.Decode[[]*lookedAt](o.t, told.Args[0])
		o.first = len(all)
		for _, one := range all {
			o.sockets[one.Nsp+" "+one.ID] = one
		}
	case "socket_connected":
		one := harness.Decode[*lookedAt](o.t, told.Args[0])
		if o.sockets[one.Nsp+" "+one.ID] != nil {
			o.t.Errorf("%s is told twice", told.Args[0])
		}
		o.sockets[one.Nsp+" "+one.ID] = one
	case "socket_updated":
		changed := harness.Decode[lookedAt](o.t, told.Args[0])
		o.sockets[changed.Nsp+" "+changed.ID].Transport = changed.Transport
	case "socket_disconnected":
		delete(o.sockets, texts[0]+" "+texts[1])
		o.passed = append(o.passed, strings.Join(append([]string{"ended"}, texts[:3]...), " "))
	case "room_joined":
		of := o.sockets[texts[0]+" "+texts[2]]
		of.Rooms = append(of.Rooms, texts[1])
	case "room_left":
		if of := o.sockets[texts[0]+" "+texts[2]]; of != nil {
			of.Rooms = slices.DeleteFunc(of.Rooms, func(room string) bool { return room == texts[1] })
		}
	case "event_received", "event_sent":
		names := harness.Decode[[]string](o.t, told.Args[2])
		o.passed = append(o.passed, strings.TrimPrefix(told.Name, "event_")+" "+o.sockets[texts[0]+" "+texts[1]].Data.UserID+" "+strings.Join(names, " "))
	case "error:event":
		o.passed = append(o.passed, "refused "+harness.Decode[struct{ Event, Code string }](o.t, told.Args[0]).Code)
	default:
		o.t.Errorf("the page does not know %s", told.Name)
	}
}

// of are the sockets of somebody.
func (o *onlooker) of(userID string) (all []*lookedAt) {
	for _, one := range o.sockets {
		if one.Data.UserID == userID {
			all = append(all, one)
		}
	}
	return all
}

// knows waits until the page knows one socket of somebody, and returns it.
func (o *onlooker) knows(userID string) *lookedAt {
	o.t.Helper()
	o.until(userID+" is there", func() bool { return len(o.of(userID)) == 1 })
	return o.of(userID)[0]
}

// do has the page send an event, of which the server is asked for the outcome.
func (o *onlooker) do(event string, arguments ...any) harness.Ack {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), harness.Deadline)
	defer cancel()
	raw, err := o.Call(ctx, event, arguments...)
	if err != nil {
		o.t.Fatalf("%s: %v", event, err)
	}
	ack := harness.Decode[harness.Ack](o.t, raw)
	ack.Raw = raw
	return ack
}
