package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/clientip"
	"rolecall/internal/limit"
)

// off is the word for a limit that is not set.
const off = "off"

// list is a comma-separated flag.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = nil
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l = append(*l, part)
		}
	}
	return nil
}

// retention is a duration flag that also takes the word kept.
type retention time.Duration

func (r *retention) String() string {
	if *r == 0 {
		return "kept"
	}
	return time.Duration(*r).String()
}

func (r *retention) Set(text string) error {
	if text == "kept" {
		*r = 0
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed <= 0 {
		return errors.New("must be a time such as 8760h, or kept")
	}
	*r = retention(parsed)
	return nil
}

// rateValue is the flag of one kind's rate.
type rateValue struct {
	rates map[limit.Kind]limit.Rate
	kind  limit.Kind
}

func (r rateValue) String() string {
	if r.rates == nil {
		return ""
	}
	return r.rates[r.kind].String()
}

func (r rateValue) Set(text string) error {
	parsed, err := limit.ParseRate(text)
	if err == nil {
		r.rates[r.kind] = parsed
	}
	return err
}

// optionalRate is a rate flag that also takes the word off.
type optionalRate limit.Rate

func (r *optionalRate) String() string {
	if *r == (optionalRate{}) {
		return off
	}
	return limit.Rate(*r).String()
}

func (r *optionalRate) Set(text string) error {
	if text == off {
		*r = optionalRate{}
		return nil
	}
	parsed, err := limit.ParseRate(text)
	if err != nil {
		return fmt.Errorf("%w, nor off", err)
	}
	*r = optionalRate(parsed)
	return nil
}

// optionalCount is a flag of a number from 1 that also takes the word off.
type optionalCount int

func (n *optionalCount) String() string {
	if *n == 0 {
		return off
	}
	return strconv.Itoa(int(*n))
}

func (n *optionalCount) Set(text string) error {
	if text == off {
		*n = 0
		return nil
	}
	parsed, err := strconv.Atoi(text)
	if err != nil || parsed <= 0 {
		return errors.New("must be a number from 1, or off")
	}
	*n = optionalCount(parsed)
	return nil
}

// proxies is a comma-separated flag of addresses and networks.
type proxies []netip.Prefix

func (p *proxies) String() string {
	texts := make([]string, len(*p))
	for i, proxy := range *p {
		texts[i] = proxy.String()
	}
	return strings.Join(texts, ",")
}

func (p *proxies) Set(text string) error {
	parsed, err := clientip.ParseProxies(text)
	if err == nil {
		*p = parsed
	}
	return err
}
