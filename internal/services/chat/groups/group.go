package groups

import (
	"slices"

	"rolecall/internal/roles"
)

// Group is a room with chosen members.
type Group struct {
	Room roles.ChatRoom
	Name string
	// Owner is whose group it is: one of the members.
	Owner   string
	History History
	// Members are in the order of user id. A group without any is one that is not there.
	Members []string
	// Since is the revision of the change by which the members and the owner have become those they are, 0 where it is as it was
	// made.
	Since int64
	// Later are those of the members who were put into it once it was there.
	Later map[string]Joining
}

// Joining is how somebody was put into a group that was there.
type Joining struct {
	// Revision is that of the change.
	Revision int64
	// SeesAfter is the seq of the last message that they do not see, 0 for who sees all.
	SeesAfter int64
}

// Sight is from where on somebody sees the log of a group: of its messages those beyond Seq, and of what becomes of them, and of the
// group, what was done beyond Revision. The zero one is of who sees all.
type Sight struct {
	Seq, Revision int64
}

// Sees reports whether a message is seen.
func (s Sight) Sees(seq int64) bool { return seq > s.Seq }

// Has reports whether somebody is a member.
func (g *Group) Has(userID string) bool {
	_, has := slices.BinarySearch(g.Members, userID)
	return has
}

// SightOf is from where on a member sees the log. All that is told or read of a group is held against it.
func (g *Group) SightOf(userID string) Sight {
	joining := g.Later[userID]
	if joining.SeesAfter == 0 {
		return Sight{}
	}
	return Sight{Seq: joining.SeesAfter, Revision: joining.Revision - 1}
}

// Blind are the members who do not see a message.
func (g *Group) Blind(seq int64) (members []string) {
	for userID, joining := range g.Later {
		if joining.SeesAfter >= seq {
			members = append(members, userID)
		}
	}
	slices.Sort(members)
	return members
}

// Put notes how a member was put into the group: the zero Joining is of one with whom it was made.
func (g *Group) Put(userID string, joining Joining) {
	if joining == (Joining{}) {
		return
	}
	if g.Later == nil {
		g.Later = make(map[string]Joining)
	}
	g.Later[userID] = joining
}

// heir is to whom the group falls when its owner leaves: who of the others has belonged to it longest, and of several the first by
// user id; "" where nobody is left.
func (g *Group) heir(without []string) (heir string) {
	for _, member := range g.Members {
		if slices.Contains(without, member) {
			continue
		}
		if heir == "" || g.Later[member].Revision < g.Later[heir].Revision {
			heir = member
		}
	}
	return heir
}

// after is the group as a change has left it.
func (g *Group) after(made *Made) Group {
	next := *g
	if made.Name != "" {
		next.Name = made.Name
	}
	if made.Owner != "" {
		next.Owner = made.Owner
	}
	if made.History != "" {
		next.History = made.History
	}
	if made.ChangesMembers() {
		next.Since = made.Revision
	}
	out := made.TakesOut()
	next.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return slices.Contains(out, m) })
	next.Members = append(next.Members, made.PutsIn()...)
	slices.Sort(next.Members)
	return next
}

// Founding is a group to be made.
type Founding struct {
	Room      roles.ChatRoom
	Name      string
	History   History
	CreatedBy string
	// CreatedAt is Unix milliseconds.
	CreatedAt int64
	Members   []string
	// ClientID is its maker's own id for it, "" where none was given, and Digest what the maker asked for.
	ClientID string
	Digest   int64
	// Entry is the first of its log, nil for none.
	Entry *Change
}
