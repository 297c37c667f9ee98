// Package demo peoples a throw-away server: someone of every role, in two companies, to sign in as.
package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// Seed picks the ways of the simulated fleet.
const Seed = 7

// validity is how long a demo token lasts.
const validity = 12 * time.Hour

// Companies are the two tenants.
func Companies() []string { return []string{"acme", "globex"} }

// People returns someone of every role, in the order in which they are printed.
func People(now time.Time) []auth.Identity {
	person := func(id, name string, role roles.Role, company string) auth.Identity {
		return auth.Identity{UserID: id, Username: name, Role: role, CompanyID: company, ExpiresAt: now.Add(validity)}
	}
	return []auth.Identity{
		person("ada", "Ada (admin)", roles.Admin, ""),
		person("carl", "Carl (Acme)", roles.Company, "acme"),
		person("gwen", "Gwen (Globex)", roles.Company, "globex"),
		person("dora", "Dora (drives for Acme)", roles.Driver, "acme"),
		person("paul", "Paul (provider)", roles.Provider, ""),
		person("vera", "Vera (vendor)", roles.Vendor, ""),
	}
}

// DriverToken returns a function that mints the tokens of the simulated drivers, who work for the companies in turn.
func DriverToken(secret []byte, now time.Time) func(driverID, companyID string) (string, error) {
	return func(driverID, companyID string) (string, error) {
		return auth.Mint(secret, auth.Identity{
			UserID: driverID, Username: driverID, Role: roles.Driver, CompanyID: companyID, ExpiresAt: now.Add(validity),
		})
	}
}

// PrintLinks writes, a person a line, a link that opens the page already signed in. The token stands behind #, a part
// of the address that browsers never send. Others are addresses at which other machines may find the server.
func PrintLinks(out io.Writer, url string, others []string, secret []byte, now time.Time) error {
	elsewhere := ""
	if len(others) > 0 {
		elsewhere = "; from other machines " + strings.Join(others, ", ")
	}
	_, err := fmt.Fprintf(out, "\nRolecall demo at %s%s (data is thrown away at the end). Open a link to sign in as\n\n", url, elsewhere)
	if err != nil {
		return fmt.Errorf("print links: %w", err)
	}
	for _, person := range People(now) {
		token, err := auth.Mint(secret, person)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "  %-9s %-24s %s/#token=%s\n\n", person.Role, person.Username, url, token); err != nil {
			return fmt.Errorf("print links: %w", err)
		}
	}
	return nil
}
