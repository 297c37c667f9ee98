// Package roles says who may do what and in which rooms they stand. It holds the five roles, the one permission
// table and every room name; no other package spells a room prefix.
package roles

import (
	"fmt"
	"slices"
)

// Role is one of the five kinds of people Rolecall connects.
type Role string

// The five roles.
const (
	Admin    Role = "admin"
	Driver   Role = "driver"
	Company  Role = "company"
	Provider Role = "provider"
	Vendor   Role = "vendor"
)

// All lists the five roles.
func All() []Role { return []Role{Admin, Driver, Company, Provider, Vendor} }

// Parse returns the role of that exact name.
func Parse(name string) (Role, error) {
	if role := Role(name); slices.Contains(All(), role) {
		return role, nil
	}
	return "", fmt.Errorf("unknown role %q", name)
}

// HasTenant reports whether people of this role belong to a company.
func (r Role) HasTenant() bool { return r == Driver || r == Company }

// Permission is one thing a role may or may not do.
type Permission string

// The permissions. What is not granted in the table is denied.
const (
	// PublishPosition: send one's own positions.
	PublishPosition Permission = "position:publish"
	// WatchAllFleets: see every driver of every company.
	WatchAllFleets Permission = "fleet:watch-all"
	// WatchOwnFleet: see the drivers of one's own company.
	WatchOwnFleet Permission = "fleet:watch-own"
	// ReadOwnTrack: read the stored positions of oneself.
	ReadOwnTrack Permission = "track:read-own"
	// Broadcast: create, list and retract notices.
	Broadcast Permission = "notice:broadcast"
	// ReadInbox: read the notices addressed to oneself.
	ReadInbox Permission = "notice:inbox"
	// Chat: join rooms, read and write messages.
	Chat Permission = "chat:use"
	// DeleteMessages: delete the messages of others, in any room.
	DeleteMessages Permission = "chat:delete-any"
	// CreateGroup: make a group and choose its members.
	CreateGroup Permission = "chat:create-group"
	// ManageGroups: change any group, and close it.
	ManageGroups Permission = "chat:manage-groups"
	// CloseRooms: have nobody write in a room, and open it again.
	CloseRooms Permission = "chat:close"
	// ManageReports: read and resolve what people report.
	ManageReports Permission = "report:manage"
	// ReadDirectory: look people up by name and role.
	ReadDirectory Permission = "directory:read"
	// ManageDirectory: say who somebody is, before they have signed in and after.
	ManageDirectory Permission = "directory:manage"
	// IssueTokens: have the server sign tokens for others, where it signs any.
	IssueTokens Permission = "token:issue"
	// DeletePeople: take others out of what is kept.
	DeletePeople Permission = "person:delete"
	// ExportPeople: read all that is kept of others.
	ExportPeople Permission = "person:export"
	// ManageSessions: see the sockets of others, disconnect them, have them join and leave rooms, and revoke their tokens.
	ManageSessions Permission = "session:manage"
	// ReadStatistics: read how the server is doing.
	ReadStatistics Permission = "server:statistics"
	// ReadAudit: read what admins have done.
	ReadAudit Permission = "audit:read"
)

// Permissions lists every permission.
func Permissions() []Permission {
	return []Permission{PublishPosition, WatchAllFleets, WatchOwnFleet, ReadOwnTrack,
		Broadcast, ReadInbox, Chat, DeleteMessages, CreateGroup, ManageGroups, CloseRooms, ManageReports, ReadDirectory,
		ManageDirectory, IssueTokens, DeletePeople, ExportPeople, ManageSessions, ReadStatistics, ReadAudit}
}

// Can reports whether the role holds the permission. This switch is the permission table.
func (r Role) Can(p Permission) bool {
	switch p {
	case PublishPosition, ReadOwnTrack:
		return r == Driver
	case WatchAllFleets, Broadcast, DeleteMessages, ManageGroups, CloseRooms, ManageReports, ManageDirectory, IssueTokens, DeletePeople,
		ExportPeople, ManageSessions, ReadStatistics, ReadAudit:
		return r == Admin
	case WatchOwnFleet:
		return r == Company
	case ReadInbox, Chat, CreateGroup, ReadDirectory:
		return slices.Contains(All(), r)
	default:
		return false
	}
}
