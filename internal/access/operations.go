package access

import (
	"math"
	"time"

	"rolecall/internal/limit"
	"rolecall/internal/roles"
)

// The caller.

// RefreshToken puts a newer token in the place of a socket's old one.
func RefreshToken() Rule { return Anyone(limit.Other) }

// ReadOwnIdentity asks who the token speaks for.
func ReadOwnIdentity() Rule { return Anyone(limit.Read) }

// Chat.

// JoinRoom enters a chat room with a socket.
func JoinRoom() Rule { return Needs(limit.Join, roles.Chat) }

// LeaveRoom leaves one.
func LeaveRoom() Rule { return Needs(limit.Join, roles.Chat) }

// CreateGroup makes a group.
func CreateGroup() Rule { return Needs(limit.Join, roles.CreateGroup) }

// ChangeGroup gives a group another name, owner or setting.
func ChangeGroup() Rule { return Needs(limit.Join, roles.Chat) }

// AddMembers puts people into a group.
func AddMembers() Rule { return Needs(limit.Join, roles.Chat) }

// CloseGroup ends a group.
func CloseGroup() Rule { return Needs(limit.Join, roles.Chat) }

// RemoveMembers leaves a group, or takes others out of one's own.
func RemoveMembers() Rule { return Needs(limit.Join, roles.Chat) }

// ReadConversations lists the rooms in which one takes part, or reads one of them.
func ReadConversations() Rule { return Needs(limit.Read, roles.Chat) }

// MuteRoom says whether one wants to be left alone by a room.
func MuteRoom() Rule { return Needs(limit.Other, roles.Chat) }

// SendMessage says something in a room or to a person.
func SendMessage() Rule { return Needs(limit.Chat, roles.Chat) }

// UploadFile sends a file, for a message to come: so long a body that its bound is that of the settings.
func UploadFile() Rule {
	return Needs(limit.Upload, roles.Chat).WithMaxBytes(math.MaxInt32).WithTimeout(30 * time.Minute)
}

// FetchFile reads a file of a message, however slowly.
func FetchFile() Rule { return Needs(limit.Read, roles.Chat).WithTimeout(30 * time.Minute) }

// ReadAttachment asks for the addresses of a file.
func ReadAttachment() Rule { return Needs(limit.Read, roles.Chat) }

// SendFile says a file in a room.
func SendFile() Rule { return Needs(limit.Chat, roles.Chat) }

// EditMessage has a message say something else.
func EditMessage() Rule { return Needs(limit.Chat, roles.Chat) }

// DeleteMessage deletes a message.
func DeleteMessage() Rule { return Needs(limit.Other, roles.Chat) }

// ReactToMessage reacts to a message with an emoji.
func ReactToMessage() Rule { return Needs(limit.Other, roles.Chat) }

// ReadMessages reads back what was said in a room.
func ReadMessages() Rule { return Needs(limit.Read, roles.Chat) }

// SearchMessages looks for messages by their words.
func SearchMessages() Rule { return Needs(limit.Search, roles.Chat) }

// SyncRooms reads what one has missed in all one's rooms.
func SyncRooms() Rule { return Needs(limit.Read, roles.Chat) }

// ShowTyping shows that one is writing.
func ShowTyping() Rule { return Needs(limit.Typing, roles.Chat) }

// MarkMessagesRead says how far one has read a room.
func MarkMessagesRead() Rule { return Needs(limit.Read, roles.Chat) }

// People.

// ListPresence asks who is there.
func ListPresence() Rule { return Needs(limit.Other, roles.ReadDirectory) }

// ReadPeople looks people up.
func ReadPeople() Rule { return Needs(limit.Read, roles.ReadDirectory) }

// WritePerson says who somebody is.
func WritePerson() Rule { return Needs(limit.Other, roles.ManageDirectory) }

// ImportPeople says of many who they are.
func ImportPeople() Rule {
	return Needs(limit.Other, roles.ManageDirectory).WithMaxBytes(16 << 20).WithTimeout(5 * time.Minute)
}

// BlockPerson blocks somebody, or no longer does.
func BlockPerson() Rule { return Needs(limit.Other, roles.Chat) }

// ReadBlocks reads whom one has blocked.
func ReadBlocks() Rule { return Needs(limit.Read, roles.Chat) }

// Report reports a message or somebody to the admins.
func Report() Rule { return Needs(limit.Other, roles.Chat) }

// ReadReports reads what was reported.
func ReadReports() Rule { return Needs(limit.Read, roles.ManageReports) }

// ResolveReport says what has come of a report.
func ResolveReport() Rule { return Needs(limit.Other, roles.ManageReports) }

// CloseRoom closes a room, or opens it again.
func CloseRoom() Rule { return Needs(limit.Other, roles.CloseRooms) }

// DeleteSelf takes oneself out of what is kept.
func DeleteSelf() Rule { return Anyone(limit.Other) }

// DeletePerson takes somebody out of what is kept.
func DeletePerson() Rule { return Needs(limit.Other, roles.DeletePeople) }

// exportTimeout is how long an export may take to be read.
const exportTimeout = 10 * time.Minute

// ExportSelf reads all that is kept of oneself.
func ExportSelf() Rule { return Anyone(limit.Other).WithTimeout(exportTimeout) }

// ExportPerson reads all that is kept of somebody.
func ExportPerson() Rule { return Needs(limit.Other, roles.ExportPeople).WithTimeout(exportTimeout) }

// IssueToken has a token signed for somebody.
func IssueToken() Rule { return Needs(limit.Other, roles.IssueTokens) }

// Tracking.

// PublishPositions sends one's own positions.
func PublishPositions() Rule { return Needs(limit.Location, roles.PublishPosition).ByItem() }

// ListDrivers lists the drivers of the fleets that one watches.
func ListDrivers() Rule { return Needs(limit.Read, roles.WatchAllFleets, roles.WatchOwnFleet) }

// ReadDriver reads a driver's state and track, also one's own.
func ReadDriver() Rule {
	return Needs(limit.Read, roles.WatchAllFleets, roles.WatchOwnFleet, roles.ReadOwnTrack)
}

// Notices.

// SendNotice makes a notice.
func SendNotice() Rule { return Needs(limit.Other, roles.Broadcast) }

// ReadNotices reads notices, whoever they are addressed to.
func ReadNotices() Rule { return Needs(limit.Read, roles.Broadcast) }

// RetractNotice takes a notice back.
func RetractNotice() Rule { return Needs(limit.Other, roles.Broadcast) }

// ReadInbox reads the notices addressed to oneself.
func ReadInbox() Rule { return Needs(limit.Read, roles.ReadInbox) }

// MarkNoticesRead marks some of them as read.
func MarkNoticesRead() Rule { return Needs(limit.Read, roles.ReadInbox) }

// Administration.

// ReadStatistics asks how the server is doing.
func ReadStatistics() Rule { return Needs(limit.Read, roles.ReadStatistics).Unattended() }

// ReadSockets asks for the sockets of somebody.
func ReadSockets() Rule { return Needs(limit.Read, roles.ManageSessions) }

// ReadEverySocket looks at the sockets and rooms of this server, as the Admin UI shows them.
func ReadEverySocket() Rule { return Needs(limit.Connect, roles.ManageSessions) }

// DisconnectSocket sends away a socket, or all sockets in a room.
func DisconnectSocket() Rule { return Needs(limit.Other, roles.ManageSessions) }

// MoveSocket has a socket of somebody join a room or leave one.
func MoveSocket() Rule { return Needs(limit.Other, roles.ManageSessions) }

// DisconnectUser closes somebody's connections.
func DisconnectUser() Rule { return Needs(limit.Other, roles.ManageSessions) }

// RevokeUser has somebody's tokens refused.
func RevokeUser() Rule { return Needs(limit.Other, roles.ManageSessions) }

// ReadAudit reads what admins have done.
func ReadAudit() Rule { return Needs(limit.Read, roles.ReadAudit) }
