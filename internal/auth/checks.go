package auth

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// latestDate is the end of the year 9999, in Unix seconds: what lies beyond is no date that a clock could show.
const latestDate = 253_402_300_799

// readClaims reads a token's claims by their exact names, once each, however deep (RFC 7519, sections 4 and 10.1.1):
// "Role", which an identity provider may let people fill in, is not "role".
func readClaims(raw []byte) (members, error) {
	var claims members
	if err := json.Unmarshal(raw, &claims); err != nil {
		return nil, refuse("claims", "%w", err)
	}
	return claims, nil
}

// expectations are what is asked of a token besides its signature and its identity.
type expectations struct {
	issuer, audience string
	leeway           time.Duration
	maxLifetime      time.Duration
}

// lifetime is from when to when a token is good.
type lifetime struct {
	issuedAt  time.Time // the zero Time where the token does not say
	expiresAt time.Time
}

// check judges the registered claims (RFC 7519, section 4.1) and returns from when to when the token is good. The error is
// ErrExpired only where age is all that is wrong. What a token says of when it was issued is no reason to refuse it, for
// clocks differ and the RFC has no rule; it counts for how long it lasts, and for whether it was revoked.
func (e expectations) check(claims members, now time.Time) (good lifetime, err error) {
	if err := e.checkParties(claims); err != nil {
		return lifetime{}, err
	}
	var dates [3]time.Time
	var present [3]bool
	for i, name := range []string{"exp", "nbf", "iat"} {
		if dates[i], present[i], err = date(claims[name]); err != nil {
			return lifetime{}, refuse(name, "%w", err)
		}
	}
	expiresAt, notBefore, issuedAt := dates[0], dates[1], dates[2]
	switch {
	case !present[0]:
		return lifetime{}, refuse("exp", "there is none, and a token has to end")
	case present[1] && notBefore.After(now.Add(e.leeway)):
		return lifetime{}, refuse("nbf", "not valid before %s, which is %s ahead of this server's clock", stamp(notBefore), notBefore.Sub(now).Round(time.Second))
	case e.maxLifetime > 0 && present[2] && expiresAt.Sub(issuedAt) > e.maxLifetime:
		return lifetime{}, refuse("lifetime", "%s from its issue, at most %s is taken", expiresAt.Sub(issuedAt), e.maxLifetime)
	case e.maxLifetime > 0 && expiresAt.Sub(now) > e.maxLifetime+e.leeway:
		return lifetime{}, refuse("lifetime", "%s from now, at most %s is taken", expiresAt.Sub(now).Round(time.Second), e.maxLifetime)
	case !now.Before(expiresAt):
		return lifetime{}, &refusal{kind: ErrExpired, check: "exp", cause: fmt.Errorf("ended %s", stamp(expiresAt))}
	default:
		return lifetime{issuedAt: issuedAt, expiresAt: expiresAt}, nil
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// checkParties holds the token's issuer and audience against those that are expected, if any.
func (e expectations) checkParties(claims members) error {
	if e.issuer != "" {
		if issuer, err := asText(claims["iss"]); err != nil || issuer != e.issuer {
			return refuse("issuer", "iss is %s, not %q", shown(claims["iss"]), e.issuer)
		}
	}
	if e.audience != "" {
		audience, found := Claim{{"aud"}}.find(claims)
		ours := func(value jsontext.Value) bool {
			name, err := asText(value)
			return err == nil && value.Kind() == jsontext.KindString && name == e.audience
		}
		if !found || !slices.ContainsFunc(audience.values, ours) {
			return refuse("audience", "aud is %s, not %q", shown(claims["aud"]), e.audience)
		}
	}
	return nil
}

func shown(value jsontext.Value) string {
	if value == nil {
		return "missing"
	}
	return string(value)
}

// date reads a claim's time, whole seconds. It has to be a number (RFC 7519, section 2), with a fraction perhaps.
func date(value jsontext.Value) (at time.Time, present bool, err error) {
	if value == nil || value.Kind() == jsontext.KindNull {
		return time.Time{}, false, nil
	}
	if value.Kind() != jsontext.KindNumber {
		return time.Time{}, false, fmt.Errorf("%s is no number", value)
	}
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || seconds > latestDate {
		return time.Time{}, false, fmt.Errorf("%s lies beyond the year 9999", value)
	}
	return time.Unix(int64(math.Floor(max(seconds, -latestDate))), 0), true, nil
}
