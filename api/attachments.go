package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"rolecall/api/rest"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
)

// uploadQuery is what is said of a file beside it.
type uploadQuery struct {
	FileName string `json:"fileName" validate:"max=1024"`
	ClientID string `json:"clientId" validate:"max=128"`
}

// uploaded is a file that was sent.
type uploaded struct{ attachments.Added }

// Path implements rest.Located.
func (u uploaded) Path() string { return Prefix + "/attachments/" + u.ID }

// formBytes is how much a form has around a file, at most.
const formBytes = 8 << 10

func (a *API) upload(ctx context.Context, who auth.Identity, in uploadQuery, file rest.File) (uploaded, error) {
	if most := a.Attachments.MaxSize(); file.Length > most+formBytes {
		large := fault.Newf(fault.TooLarge, "A file has at most %d bytes", most)
		large.Field = "file"
		return uploaded{}, large
	}
	name := in.FileName
	if name == "" {
		name = file.Name
	}
	added, err := a.Attachments.Add(ctx, who, chat.Upload{FileName: name, ClientID: in.ClientID, Content: file})
	return uploaded{added}, err
}

func (a *API) fetch(ctx context.Context, who auth.Identity, in attachments.Wanted) (served, error) {
	file, err := a.Attachments.Fetch(ctx, who, in.AttachmentID, false)
	return served{a, file}, err
}

func (a *API) fetchThumbnail(ctx context.Context, who auth.Identity, in attachments.Wanted) (served, error) {
	file, err := a.Attachments.Fetch(ctx, who, in.AttachmentID, true)
	return served{a, file}, err
}

// fetchByAddress serves a file to whoever has an address that was signed for it.
func (a *API) fetchByAddress(w http.ResponseWriter, r *http.Request) {
	for name := range r.URL.Query() {
		if name != "expires" && name != "signature" {
			a.problems.WriteStatus(w, http.StatusBadRequest, fault.Invalid(name, "There is no parameter of this name"))
			return
		}
	}
	address := attachments.Address{ID: chi.URLParam(r, "id"), Signature: r.URL.Query().Get("signature")}
	address.Thumbnail = r.URL.Path == attachments.Path+address.ID+attachments.ThumbnailPath
	address.Expires, _ = strconv.ParseInt(r.URL.Query().Get("expires"), 10, 64) // what is no number was never signed
	file, err := a.Attachments.FetchBy(r.Context(), address)
	if err != nil {
		w.Header().Set("Cache-Control", "no-store")
		a.problems.Write(w, r, err)
		return
	}
	served{a, file}.Serve(w, r)
}
