package chat_test

import (
	"testing"

	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// TestFiles: a file is held against all that it would have to be, and then cannot be kept.
func TestFiles(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, directory{"bob": roles.Vendor}, nil)
	whole := func(change func(*chat.File)) chat.File {
		file := chat.File{RoomID: "lobby", FileName: "slip 7.png", MimeType: "image/png", File: call.Attachment{Bytes: []byte("x")}}
		if change != nil {
			change(&file)
		}
		return file
	}
	in := func(roomID string) chat.File { return whole(func(f *chat.File) { f.RoomID = roomID }) }
	for name, test := range map[string]struct {
		file  chat.File
		code  fault.Code
		field string
	}{
		"a file":                {whole(nil), fault.Unavailable, ""},
		"to somebody":           {in("dm:bob:amy"), fault.Unavailable, ""},
		"to nobody":             {in("dm:amy:ghost"), fault.NotFound, "roomId"},
		"between others":        {in("dm:bob:cem"), fault.RoomForbidden, "roomId"},
		"to a room of no name":  {in("no room"), fault.RoomInvalid, "roomId"},
		"a blank name":          {whole(func(f *chat.File) { f.FileName = " \u200b" }), fault.InvalidPayload, "fileName"},
		"a name with a folder":  {whole(func(f *chat.File) { f.FileName = "../slip.png" }), fault.InvalidPayload, "fileName"},
		"a type that is none":   {whole(func(f *chat.File) { f.MimeType = "png" }), fault.InvalidPayload, "mimeType"},
		"a type with parameter": {whole(func(f *chat.File) { f.MimeType = "text/plain; charset=utf-8" }), fault.Unavailable, ""},
		"nothing in it":         {whole(func(f *chat.File) { f.File.Bytes = []byte{} }), fault.InvalidPayload, "file"},
		"no file":               {whole(func(f *chat.File) { f.File.Bytes = nil }), fault.InvalidPayload, "file"},
	} {
		_, err := service.SendFile(t.Context(), person("amy", roles.Driver), test.file)
		if code(err) != test.code || fault.From(err).Field != test.field || fault.Unexpected(err) {
			t.Errorf("%s: %v, want %s at %q", name, err, test.code, test.field)
		}
	}
	if names := h.names(); len(names) > 0 {
		t.Errorf("told: %v", names)
	}
}
