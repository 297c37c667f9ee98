package chat

import (
	"unicode/utf8"

	"rolecall/internal/fault"
	"rolecall/internal/text"
)

// MaxText is how long a message's text may be, in code points.
const MaxText = 5000

// spoken is a text as it is said: without white space at its ends. It fails where a reader would see nothing, and where it
// is too long.
func spoken(sent string) (string, error) {
	said := text.Trim(sent)
	switch {
	case text.IsBlank(said):
		return "", inText(fault.InvalidPayload)
	case utf8.RuneCountInString(said) > MaxText:
		return "", inText(fault.TooLarge)
	}
	return said, nil
}

// spoken is the message's text as it is said. Beside attachments nothing need be said.
func (o *Outgoing) spoken() (string, error) {
	if len(o.AttachmentIDs) == 0 && o.AttachmentID == "" || !text.IsBlank(o.Text) {
		return spoken(o.Text)
	}
	return "", nil
}

// inText is a fault of a message's text. Its sentence is always the same; clients written to the product's guides look
// for it.
func inText(code fault.Code) *fault.Error {
	return &fault.Error{Code: code, Message: "Invalid message", Field: "text"}
}

// Word implements payload.Worded: every fault of the text has one sentence, also one that shows when it is decoded.
func (o *Outgoing) Word(wrong *fault.Error) *fault.Error { return wordText(wrong) }

func wordText(wrong *fault.Error) *fault.Error {
	if wrong.Field == "text" {
		return inText(wrong.Code)
	}
	return wrong
}
