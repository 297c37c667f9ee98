package roles

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// OpenRooms is the policy of who may enter which open room. The zero value opens none.
type OpenRooms struct{ rules []openRule }

// openRule is for rooms whose ids begin with a prefix, "" for all.
type openRule struct {
	prefix string
	roles  []Role
}

// EveryOpenRoom lets everybody into every open room.
func EveryOpenRoom() OpenRooms { return OpenRooms{[]openRule{{"", All()}}} }

// Allows reports whether people of a role may enter an open room: the rule of the longest prefix says so.
func (o OpenRooms) Allows(room ChatRoom, role Role) bool {
	var best *openRule
	for i := range o.rules {
		rule := &o.rules[i]
		if strings.HasPrefix(room.id, rule.prefix) && (best == nil || len(rule.prefix) > len(best.prefix)) {
			best = rule
		}
	}
	return room.kind == OpenKind && best != nil && slices.Contains(best.roles, role)
}

// Any reports whether there are rooms that somebody may enter.
func (o OpenRooms) Any() bool {
	return slices.ContainsFunc(o.rules, func(rule openRule) bool { return len(rule.roles) > 0 })
}

// OpenRoomsForm says in words what ParseOpenRooms asks for.
const OpenRoomsForm = "is not true, false, or who may enter the rooms of each prefix, such as orders-=vendor+provider,*=everyone"

// ParseOpenRooms reads the policy as operators write it: a comma-separated list of PREFIX=ROLES. Rooms whose ids begin with the
// prefix, a * for all others, are open for the roles: some with a plus between, everyone, or nobody. The longest prefix counts,
// and rooms of which none is listed are closed.
func ParseOpenRooms(text string) (OpenRooms, error) {
	var o OpenRooms
	for _, written := range strings.Split(text, ",") {
		prefix, names, isRule := strings.Cut(strings.TrimSpace(written), "=")
		if !isRule {
			return OpenRooms{}, fmt.Errorf("%q %s", text, OpenRoomsForm)
		}
		rule, err := openRuleOf(prefix, names)
		if err != nil {
			return OpenRooms{}, err
		}
		if slices.ContainsFunc(o.rules, func(other openRule) bool { return other.prefix == rule.prefix }) {
			return OpenRooms{}, fmt.Errorf("%s is listed twice: put a plus between the roles", prefix)
		}
		o.rules = append(o.rules, rule)
	}
	return o, nil
}

func openRuleOf(prefix, names string) (openRule, error) {
	rule := openRule{prefix: prefix}
	if prefix == "*" {
		rule.prefix = ""
	} else if room, err := ParseChatRoom(prefix); errors.Is(err, ErrRoomReserved) || err == nil && room.kind != OpenKind || isSpecial(prefix) {
		return openRule{}, fmt.Errorf("rooms that begin with %q are not open ones", prefix)
	} else if err != nil {
		return openRule{}, fmt.Errorf("%q is no beginning of a room's id: %s", prefix, ChatRoomForm)
	}
	switch names {
	case everyone:
		rule.roles = All()
	case nobody:
	default:
		for _, name := range strings.Split(names, "+") {
			role, err := Parse(strings.TrimSpace(name))
			if err != nil {
				return openRule{}, fmt.Errorf("%q is no role, everyone or nobody", name)
			}
			rule.roles = append(rule.roles, role)
		}
	}
	return rule, nil
}

// isSpecial reports whether all rooms of a prefix are direct ones or groups, though it is no id itself.
func isSpecial(prefix string) bool {
	return strings.HasPrefix(prefix, directPrefix) || strings.HasPrefix(prefix, groupPrefix)
}

// Equal reports whether two policies are written alike.
func (o OpenRooms) Equal(other OpenRooms) bool {
	return slices.EqualFunc(o.rules, other.rules, func(a, b openRule) bool {
		return a.prefix == b.prefix && slices.Equal(a.roles, b.roles)
	})
}
