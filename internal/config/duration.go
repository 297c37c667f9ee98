package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeForm is how a time is written.
const timeForm = "a time such as 100ms, 20s, 12h, 30d or 2w"

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseTime reads a time as time.ParseDuration does, with days of 24 hours and weeks before the rest: 30d, 2w, 1w12h.
func ParseTime(text string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(text, "-")
	var whole time.Duration
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", week}, {"d", day}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		part, err := times(number, unit.length)
		if err != nil {
			return 0, err
		}
		if whole += part; whole < 0 {
			return 0, errTooLong
		}
		rest = after
	}
	if rest != "" || whole == 0 && !strings.ContainsAny(text, "wd") {
		part, err := time.ParseDuration(rest)
		if err != nil {
			return 0, err
		}
		if part < 0 {
			return 0, errors.New("a sign within")
		}
		if whole += part; whole < 0 {
			return 0, errTooLong
		}
	}
	if negative {
		whole = -whole
	}
	return whole, nil
}

var errTooLong = errors.New("longer than can be counted")

func times(number string, unit time.Duration) (time.Duration, error) {
	count, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, err
	}
	product := count * float64(unit)
	if math.IsNaN(product) || strings.Trim(number, "0123456789.") != "" || product >= math.MaxInt64 {
		return 0, errTooLong
	}
	return time.Duration(product), nil
}
