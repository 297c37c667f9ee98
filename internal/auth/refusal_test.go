package auth_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// The words and codes of section 1 of the wire contract.
func TestRefusal(t *testing.T) {
	for name, tc := range map[string]struct {
		err     error
		code    fault.Code
		message string
	}{
		"required":         {auth.ErrRequired, "auth_required", "Authentication required"},
		"invalid":          {auth.ErrInvalid, "auth_invalid", "Invalid token"},
		"expired":          {auth.ErrExpired, "auth_expired", "Token expired"},
		"role":             {auth.ErrRole, "auth_role", "Unknown role"},
		"wrapped required": {fmt.Errorf("handshake: %w", auth.ErrRequired), "auth_required", "Authentication required"},
		"wrapped invalid":  {fmt.Errorf("%w: key k1 of 10.0.0.7", auth.ErrInvalid), "auth_invalid", "Invalid token"},
		"wrapped expired":  {fmt.Errorf("refresh: %w", auth.ErrExpired), "auth_expired", "Token expired"},
		"wrapped role":     {fmt.Errorf("%w: root", auth.ErrRole), "auth_role", "Unknown role"},
		"anything else":    {errors.New("10.0.0.7 refused"), "auth_invalid", "Invalid token"},
	} {
		t.Run(name, func(t *testing.T) {
			got := auth.Refusal(tc.err)
			if got.Code != tc.code || got.Message != tc.message {
				t.Errorf("Refusal = %s %q, want %s %q", got.Code, got.Message, tc.code, tc.message)
			}
			if got.Field != "" || got.RetryAfter != 0 || fault.Unexpected(got) {
				t.Errorf("a refusal carries more than code and words: %#v", got)
			}
		})
	}
}

func TestBearer(t *testing.T) {
	for header, tc := range map[string]struct {
		token string
		err   error
	}{
		"":                 {"", auth.ErrRequired},
		"Bearer a.b.c":     {"a.b.c", nil},
		"bearer a.b.c":     {"a.b.c", nil},
		"BEARER a.b.c":     {"a.b.c", nil},
		"Bearer   a.b.c  ": {"a.b.c", nil},
		"Bearer":           {"", auth.ErrInvalid},
		"a.b.c":            {"", auth.ErrInvalid},
		"Basic dTpw":       {"", auth.ErrInvalid},
		"Bearer:a.b.c":     {"", auth.ErrInvalid},
		"Bearer\ta.b.c":    {"", auth.ErrInvalid},
		" Bearer a.b.c":    {"", auth.ErrInvalid},
		"BearerX a.b.c":    {"", auth.ErrInvalid},
		"Token a.b.c":      {"", auth.ErrInvalid},
	} {
		token, err := auth.Bearer(header)
		if token != tc.token || !errors.Is(err, tc.err) {
			t.Errorf("Bearer(%q) = %q, %v; want %q, %v", header, token, err, tc.token, tc.err)
		}
	}
	// A scheme without a token is a call without a token: the verifier says so.
	token, err := auth.Bearer("Bearer  ")
	if err == nil {
		_, err = newVerifier(t, auth.Options{}).Verify(t.Context(), token)
	}
	if !errors.Is(err, auth.ErrRequired) {
		t.Errorf("a scheme without a token: %v", err)
	}
}

func TestIdentityStandsInItsRooms(t *testing.T) {
	id := auth.Identity{UserID: "u1", Role: roles.Company, CompanyID: "acme"}
	want := []roles.Room{"user:u1", "role:company", "company:acme", "company:acme:company", "fleet:acme"}
	if diff := cmp.Diff(want, id.Rooms()); diff != "" {
		t.Error(diff)
	}
	if !id.Can(roles.WatchOwnFleet) || id.Can(roles.Broadcast) {
		t.Error("an identity's permissions are not its role's")
	}
}
