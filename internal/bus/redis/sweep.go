package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// tellGone has it looked at whether users are still online.
func (b *Bus) tellGone(ctx context.Context, userIDs []string) {
	if gone := b.gone.Load(); gone != nil && len(userIDs) > 0 {
		b.guard("gone", func() { (*gone)(ctx, userIDs) })
	}
}

// sweep looks whether anybody was told to be online whom no node knows any more, as where the one that was to tell that they had gone
// went away itself, or could not reach Redis. It is done some time after Redis is back, when those that are there are known again.
func (p *presence) sweep(ctx context.Context, client rueidis.Client) error {
	p.mu.Lock()
	due := !p.sweeps.IsZero() && time.Now().After(p.sweeps)
	sessions := append([]string{p.session}, p.others...)
	p.mu.Unlock()
	if !due {
		return nil
	}
	for cursor := uint64(0); ; {
		entry, err := client.Do(ctx, client.B().Hscan().Key(p.key("told")).Cursor(cursor).Count(maxScript).Build()).AsScanEntry()
		if err != nil {
			return fmt.Errorf("look for who was forgotten: %w", err)
		}
		if err := p.sweepSome(ctx, client, sessions, entry.Elements); err != nil {
			return err
		}
		if cursor = entry.Cursor; cursor == 0 {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeps = time.Time{}
	return nil
}

// sweepSome looks at users, each followed by what was told of them.
func (p *presence) sweepSome(ctx context.Context, client rueidis.Client, sessions, told []string) error {
	var users []string
	for i := 0; i+1 < len(told); i += 2 {
		if !strings.HasSuffix(told[i+1], ";") { // else they are told to have gone
			users = append(users, told[i])
		}
	}
	if len(users) == 0 {
		return nil
	}
	commands := make([]rueidis.Completed, len(sessions))
	for i, session := range sessions {
		commands[i] = client.B().Smismember().Key(p.key("on:" + session)).Member(users...).Build()
	}
	known := make([]bool, len(users))
	for _, result := range client.DoMulti(ctx, commands...) {
		is, err := result.AsIntSlice()
		if err != nil {
			return fmt.Errorf("look for who was forgotten: %w", err)
		}
		for i := range min(len(is), len(known)) {
			known[i] = known[i] || is[i] == 1
		}
	}
	var forgotten []string
	for i, user := range users {
		if !known[i] {
			forgotten = append(forgotten, user)
		}
	}
	if len(forgotten) > 0 {
		p.lane.bus.log.InfoContext(ctx, "somebody was shown to be online whom no node knows", "users", len(forgotten))
		p.lane.bus.tellGone(ctx, forgotten)
	}
	return nil
}
