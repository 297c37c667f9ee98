//go:build linux

package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// Crew is worker processes that act together.
type Crew struct {
	members []*member
}

type member struct {
	// clients counts the clients this worker has in each group.
	clients map[string]int
	process *exec.Cmd
	orders  io.WriteCloser
	encoder *json.Encoder
	decoder *json.Decoder
}

// Start starts workers: this same program with the arguments, which must make it call Work. Stop ends them; so does
// the end of ctx, or of this process.
func Start(ctx context.Context, size int, arguments ...string) (*Crew, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start workers: %w", err)
	}
	crew := &Crew{}
	for range size {
		process := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // the program is this one
		process.Stderr = os.Stderr
		orders, err := process.StdinPipe()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start workers: %w", err), crew.Stop())
		}
		answers, err := process.StdoutPipe()
		if err == nil {
			err = process.Start()
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start workers: %w", err), crew.Stop())
		}
		crew.members = append(crew.members, &member{clients: make(map[string]int), process: process, orders: orders,
			encoder: json.NewEncoder(orders), decoder: json.NewDecoder(answers)})
	}
	return crew, nil
}

// Stop ends the workers, and with them their clients.
func (c *Crew) Stop() error {
	var failed error
	for _, m := range c.members {
		failed = errors.Join(failed, m.orders.Close())
	}
	for _, m := range c.members {
		if err := m.process.Wait(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("worker: %w", err))
		}
	}
	return failed
}

// Open has the workers open a share each of the group's clients.
func (c *Crew) Open(o Open) (Opened, error) {
	var total Opened
	answers, err := c.order(func(i int) *Order {
		share, before := o, o.Count*i/len(c.members)
		share.First, share.Count = o.First+before, o.Count*(i+1)/len(c.members)-before
		share.Parallel = max(o.Parallel/len(c.members), 1)
		c.members[i].clients[o.Group] = share.Count
		if share.Count == 0 {
			return nil
		}
		return &Order{Open: &share}
	})
	if err != nil {
		return total, fmt.Errorf("open %s: %w", o.Group, err)
	}
	for _, answer := range answers {
		if answer.Opened != nil {
			total.merge(answer.Opened)
		}
	}
	return total, nil
}

// Send has the workers send a share each of the group's events: as large as their share of its clients.
func (c *Crew) Send(s Send) error {
	total := 0
	for _, m := range c.members {
		total += m.clients[s.Group]
	}
	_, err := c.order(func(i int) *Order {
		own := c.members[i].clients[s.Group]
		if own == 0 {
			return nil
		}
		share := s
		share.PerSecond *= float64(own) / float64(total)
		return &Order{Send: &share}
	})
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Stall has the group's clients stop reading.
func (c *Crew) Stall(group string) error {
	_, err := c.order(func(i int) *Order {
		if c.members[i].clients[group] == 0 {
			return nil
		}
		return &Order{Stall: group}
	})
	if err != nil {
		return fmt.Errorf("stall: %w", err)
	}
	return nil
}

// Report returns what all workers have counted since the last Report.
func (c *Crew) Report() (Counts, error) {
	var total Counts
	answers, err := c.order(func(int) *Order { return &Order{Report: true} })
	if err != nil {
		return total, fmt.Errorf("report: %w", err)
	}
	for _, answer := range answers {
		total.merge(answer.Counts)
	}
	return total, nil
}

// order gives each worker its order, where it has one, and waits for all answers.
func (c *Crew) order(orderOf func(i int) *Order) ([]Answer, error) {
	answers := make([]Answer, len(c.members))
	failures := make([]error, len(c.members))
	var all sync.WaitGroup
	for i, m := range c.members {
		order := orderOf(i)
		if order == nil {
			continue
		}
		all.Go(func() {
			failures[i] = m.encoder.Encode(order)
			if failures[i] == nil {
				failures[i] = m.decoder.Decode(&answers[i])
			}
			if failures[i] == nil && answers[i].Error != "" {
				failures[i] = errors.New(answers[i].Error)
			}
		})
	}
	all.Wait()
	return answers, errors.Join(failures...)
}
