package api

import (
	"math"
	"net/http"
	"strconv"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/services/chat"
)

type messagePage struct {
	listing[chat.Message]
	HasMore bool `json:"hasMore"`
}

func (a *API) listMessages(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	query := chat.HistoryQuery{RoomID: pathID(r)}
	var err error
	if query.Before, err = intParam(r, "before", 1, math.MaxInt64); err != nil {
		return err
	}
	if query.After, err = intParam(r, "after", 0, math.MaxInt64); err != nil {
		return err
	}
	if query.Limit, err = limitParam(r, chat.MaxPage); err != nil {
		return err
	}
	history, err := a.Chat.History(r.Context(), who, query)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, messagePage{listing: listingOf(history.Messages, nextSeq(query, history)), HasMore: history.HasMore})
}

// nextSeq is the before or after that continues a page, "" at the end of the room.
func nextSeq(query chat.HistoryQuery, history chat.History) string {
	if !history.HasMore || len(history.Messages) == 0 {
		return ""
	}
	if query.After != nil {
		return strconv.FormatInt(history.Messages[len(history.Messages)-1].Seq, 10)
	}
	return strconv.FormatInt(history.Messages[0].Seq, 10)
}

// newMessage is a message to the room of the path.
type newMessage struct {
	Text     string `json:"text" validate:"required,max=5000"`
	ReplyTo  string `json:"replyTo" validate:"max=64"`
	ClientID string `json:"clientId" validate:"max=128"`
}

func (a *API) sendMessage(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	var in newMessage
	if err := a.decode(r, &in); err != nil {
		return err
	}
	roomID := pathID(r)
	if roomID == "" {
		return fault.New(fault.RoomInvalid, "The room id is missing")
	}
	receipt, err := a.Chat.Send(r.Context(), who, chat.Outgoing{
		RoomID: roomID, Text: in.Text, ReplyTo: in.ReplyTo, ClientID: in.ClientID,
	})
	if err != nil {
		return err
	}
	if receipt.Replayed {
		return respond(w, http.StatusOK, receipt)
	}
	return respond(w, http.StatusCreated, receipt)
}
