//go:build linux

package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// tokenLife is how long the clients' tokens are valid.
const tokenLife = time.Hour

// Work carries out the orders that come in as lines of JSON, and answers each by one, until in ends.
func Work(in io.Reader, out io.Writer) error {
	w, err := newWorker()
	if err != nil {
		return err
	}
	defer w.close()
	orders := make(chan Order)
	ended, done := make(chan error, 1), make(chan struct{})
	defer close(done)
	go func() {
		ended <- readOrders(in, orders, done)
		close(orders)
	}()
	answers := json.NewEncoder(out)
	for {
		select {
		case order, more := <-orders:
			if !more {
				return <-ended
			}
			answer, err := w.carryOut(order)
			if err != nil {
				answer.Error = err.Error()
			}
			if err := answers.Encode(answer); err != nil {
				return fmt.Errorf("answer: %w", err)
			}
		default:
			if err := w.step(); err != nil {
				return err
			}
		}
	}
}

// readOrders passes orders on until in ends, or nobody takes them any more.
func readOrders(in io.Reader, orders chan<- Order, done <-chan struct{}) error {
	for decoder := json.NewDecoder(in); ; {
		var order Order
		err := decoder.Decode(&order)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("orders: %w", err)
		}
		select {
		case orders <- order:
		case <-done:
			return nil
		}
	}
}

func (w *worker) carryOut(order Order) (Answer, error) {
	switch {
	case order.Open != nil:
		opened, err := w.open(*order.Open)
		return Answer{Opened: opened}, err
	case order.Send != nil:
		return Answer{}, w.send(*order.Send)
	case order.Stall != "":
		return Answer{}, w.stall(order.Stall)
	case order.Report:
		counts := w.counts
		w.counts = Counts{}
		return Answer{Counts: &counts}, nil
	}
	return Answer{}, errors.New("an order without content")
}

// open opens a group's clients and runs the loop until each is ready or lost.
func (w *worker) open(o Open) (*Opened, error) {
	tokens, err := mintTokens(o)
	if err != nil {
		return nil, err
	}
	g := &group{Open: o, marker: []byte(o.Marker)}
	w.groups[o.Group] = g
	started := 0
	for started < o.Count || g.unfinished > 0 {
		if !o.Waves || g.awaited == 0 {
			for started < o.Count && g.awaited < o.Parallel {
				if err := w.dial(g, o.First+started, tokens[started]); err != nil {
					return nil, err
				}
				started++
			}
		}
		if err := w.step(); err != nil {
			return nil, err
		}
		w.loseHeart(g, time.Now())
	}
	return &g.outcome, nil
}

func mintTokens(o Open) ([]string, error) {
	tokens := make([]string, o.Count)
	if o.Bare {
		return tokens, nil
	}
	role, err := roles.Parse(o.Role)
	if err != nil {
		return nil, fmt.Errorf("role of group %s: %w", o.Group, err)
	}
	for i := range tokens {
		number := o.First + i
		company := o.Company
		if o.CompanySize > 0 {
			company += strconv.Itoa(number / o.CompanySize)
		}
		tokens[i], err = auth.Mint([]byte(o.Secret), auth.Identity{
			UserID: o.Group + "-" + strconv.Itoa(number), Role: role, CompanyID: company,
			ExpiresAt: time.Now().Add(tokenLife),
		})
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
	}
	return tokens, nil
}

// send starts, changes or ends a group's sending.
func (w *worker) send(o Send) error {
	g := w.groups[o.Group]
	if g == nil || len(g.clients) == 0 {
		return fmt.Errorf("no clients in group %q", o.Group)
	}
	w.senders = slices.DeleteFunc(w.senders, func(s *sender) bool { return s.group == g })
	if o.PerSecond > 0 {
		every := time.Duration(float64(time.Second) / o.PerSecond)
		w.senders = append(w.senders, &sender{group: g, Send: o, every: every, due: time.Now()})
	}
	return nil
}

// stall has a group's clients read no more. The kernel goes on taking in what fits its buffers.
func (w *worker) stall(name string) error {
	g := w.groups[name]
	if g == nil {
		return fmt.Errorf("no group %q", name)
	}
	for _, c := range g.clients {
		if c.stage != ready {
			continue
		}
		if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, c.fd, nil); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
		c.stage = stalled
	}
	return nil
}
