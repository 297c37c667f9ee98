//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"

	"rolecall/internal/roles"
)

// audience is whom a notice is for.
type audience struct {
	All          bool                `json:"all,omitempty"`
	Roles        []roles.Role        `json:"roles,omitempty"`
	Users        []string            `json:"users,omitempty"`
	Companies    []string            `json:"companies,omitempty"`
	CompanyRoles []map[string]string `json:"companyRoles,omitempty"`
}

func (a audience) holds(p *person) bool {
	return a.All || slices.Contains(a.Roles, p.Role) || slices.Contains(a.Users, p.UserID) ||
		p.CompanyID != "" && slices.Contains(a.Companies, p.CompanyID) ||
		slices.ContainsFunc(a.CompanyRoles, func(c map[string]string) bool {
			return c["companyId"] == p.CompanyID && c["role"] == string(p.Role)
		})
}

// someAudience is one in which people may be twice.
func (town *town) someAudience(random *rand.Rand) audience {
	var a audience
	for a.All = random.IntN(12) == 0; ; {
		role, companyID := roles.All()[random.IntN(len(roles.All()))], fmt.Sprintf("co%d", random.IntN(companies))
		switch random.IntN(4) {
		case 0:
			if !slices.Contains(a.Roles, role) {
				a.Roles = append(a.Roles, role)
			}
		case 1:
			for range 5 {
				if p := town.people[random.IntN(len(town.people))]; !slices.Contains(a.Users, p.UserID) {
					a.Users = append(a.Users, p.UserID)
				}
			}
		case 2:
			if !slices.Contains(a.Companies, companyID) {
				a.Companies = append(a.Companies, companyID)
			}
		default:
			if len(a.CompanyRoles) == 0 {
				a.CompanyRoles = append(a.CompanyRoles, map[string]string{"companyId": companyID, "role": string(roles.Driver)})
			}
		}
		if random.IntN(2) == 0 {
			break
		}
	}
	if a.All {
		return audience{All: true}
	}
	return a
}

// insist makes a request of any node until there is an answer that holds. It returns its status, 0 where ctx ends first.
func (town *town) insist(
	ctx context.Context, p *person, random *rand.Rand, method, path string, body, into any, headers ...string,
) int {
	for {
		status, err := town.cluster.request(ctx, random.IntN(nodeCount), method, path, p.token, body, into, headers...)
		if err == nil && status < http.StatusInternalServerError && status != http.StatusTooManyRequests {
			return status
		}
		if !wait(ctx, again) {
			return 0
		}
	}
}

// announce sends a notice until it is acknowledged.
func (town *town) announce(ctx context.Context, p *person, random *rand.Rand, number int) {
	title := fmt.Sprintf("notice %s/%d", p.UserID, number)
	to := town.someAudience(random)
	town.promises.note(func() { town.promises.titles[title] = true })
	var made struct {
		ID string `json:"id"`
	}
	status := town.insist(ctx, p, random, http.MethodPost, "/api/v1/notices",
		map[string]any{"title": title, "audience": to}, &made, "Idempotency-Key", title)
	switch status {
	case 0:
	case http.StatusOK, http.StatusCreated:
		town.promises.note(func() { town.promises.notices[made.ID] = notice{id: made.ID, title: title, audience: to} })
	default:
		town.faults.add("%s: a notice is refused with %d", p.UserID, status)
	}
}

// retract takes back one of the notices.
func (town *town) retract(ctx context.Context, p *person, random *rand.Rand) {
	id := town.someNotice(random, func(n notice) bool { return !town.promises.ended[n.id] })
	if id == "" {
		return
	}
	switch status := town.insist(ctx, p, random, http.MethodDelete, "/api/v1/notices/"+id, nil, nil); status {
	case 0:
	case http.StatusNoContent, http.StatusNotFound: // the latter where it was asked before without an answer, or by another
		town.promises.note(func() { town.promises.ended[id] = true })
	default:
		town.faults.add("%s: the end of a notice is refused with %d", p.UserID, status)
	}
}

// read reads one of somebody's notices.
func (town *town) read(ctx context.Context, p *person, random *rand.Rand) {
	id := town.someNotice(random, func(n notice) bool { return n.audience.holds(p) && !town.promises.ended[n.id] })
	if id == "" {
		return
	}
	ack, err := p.devices[0].ask(ctx, "system:read", map[string]any{"id": id})
	if err != nil {
		return
	}
	var ended bool
	town.promises.note(func() { ended = town.promises.ended[id] })
	if ack.Status == "ok" {
		var told struct {
			Unread *int `json:"unread"`
		}
		if err := json.Unmarshal(ack.Raw, &told); err != nil || told.Unread == nil {
			town.faults.add("%s: system:read is answered %s", p.UserID, ack.Raw)
		}
	} else if !ended && ack.Code != "not_found" {
		town.faults.add("%s: system:read is refused: %s", p.UserID, ack.Raw)
	}
	town.promises.note(func() {
		if town.promises.reads[p.UserID] == nil {
			town.promises.reads[p.UserID] = make(map[string]bool)
		}
		town.promises.reads[p.UserID][id] = ack.Status == "ok"
	})
}

// someNotice is the id of a notice that has been acknowledged, "" where there is none.
func (town *town) someNotice(random *rand.Rand, fits func(notice) bool) (id string) {
	town.promises.note(func() {
		var ids []string
		for _, n := range town.promises.notices {
			if fits(n) {
				ids = append(ids, n.id)
			}
		}
		if slices.Sort(ids); len(ids) > 0 {
			id = ids[random.IntN(len(ids))]
		}
	})
	return id
}
