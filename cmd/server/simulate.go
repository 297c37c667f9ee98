package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/fleet"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/simulation/traces"
)

// simulate is the command that drives a fleet.
type simulate struct {
	URL         string        `name:"url" placeholder:"ADDRESS" help:"Address of the server; the one of ROLECALL_ADDR unless given."`
	Traces      string        `placeholder:"FOLDER" help:"Folder of recorded trips, one a driver (CSV: ts,lat,lng,speed_mps,heading_deg,accuracy_m,altitude_m)."`
	Drivers     int           `default:"20" placeholder:"NUMBER" help:"Number of made-up cars, where there are no recorded trips."`
	Speed       float64       `default:"1" placeholder:"TIMES" help:"How many times faster than recorded."`
	KeepTime    bool          `help:"Send recorded time stamps as they are, instead of ending now."`
	LongestWait time.Duration `default:"5s" placeholder:"TIME" help:"Cut longer pauses of a recorded trip to this."`
	Rate        float64       `default:"1" placeholder:"NUMBER" help:"Positions a second of a made-up car."`
	For         time.Duration `default:"0s" placeholder:"TIME" help:"How long made-up cars drive; 0 until interrupted."`
	Seed        uint64        `default:"1" placeholder:"NUMBER" help:"Picks the ways of made-up cars."`
	Companies   string        `default:"${company}" placeholder:"IDS" help:"Companies the drivers work for, in turn, comma-separated."`
	DataDir     string        `placeholder:"FOLDER" help:"Folder with the server's generated secret; where the server has it unless given."`
}

// Run drives until the trips are at their end, or ctx is.
func (s *simulate) Run(ctx context.Context, to output) error {
	c, err := s.fleet()
	if err != nil {
		return err
	}
	minter, err := newMinter(ctx, s.DataDir, func(string) ([]byte, error) { return auth.NewSecret(), nil })
	if err != nil {
		return err
	}
	if c.URL == "" {
		c.URL = config.LocalURL(minter.config.Addr)
	}
	expiresAt := time.Now().Add(24 * time.Hour)
	c.Token = func(driverID, companyID string) (string, error) {
		return minter.mint(ctx, auth.Identity{
			UserID: driverID, Username: driverID, Role: roles.Driver, CompanyID: companyID, ExpiresAt: expiresAt,
		})
	}
	c.Progress = to.out
	summary, err := fleet.Run(ctx, c)
	var refused *sioclient.ConnectError
	switch {
	case errors.Is(err, fleet.ErrNoServer):
		return fmt.Errorf("%w; --url names another address", err)
	case errors.As(err, &refused) && refused.Code == string(fault.AuthInvalid):
		err = fmt.Errorf("%w: the server at %s has another secret; name its data folder (--data-dir) or set its %s. These are signed with %s",
			err, c.URL, config.Variable("jwt-secret"), minter.source)
	}
	if summary.Sent == 0 && err != nil {
		return err
	}
	if _, failed := fmt.Fprint(to.out, summary); failed != nil {
		return failed
	}
	return err
}

func (s *simulate) fleet() (fleet.Config, error) {
	c := fleet.Config{
		Drivers: s.Drivers, Speed: s.Speed, KeepTime: s.KeepTime, LongestWait: s.LongestWait, Rate: s.Rate,
		Duration: s.For, Seed: s.Seed, Companies: strings.Split(s.Companies, ","),
	}
	for _, company := range c.Companies {
		if !roles.ValidUserID(company) {
			return c, fmt.Errorf("--companies: %q is not %s", company, roles.UserIDForm)
		}
	}
	if err := s.check(); err != nil {
		return c, err
	}
	var err error
	if c.URL, err = serverURL(s.URL); err != nil || s.Traces == "" {
		return c, err
	}
	if c.Traces, err = traces.Read(os.DirFS(s.Traces)); err != nil {
		return c, fmt.Errorf("--traces: %w", err)
	}
	return c, nil
}

// check finds what is well formed and yet makes no fleet.
func (s *simulate) check() error {
	switch {
	case s.Drivers < 1:
		return errors.New("--drivers: must be at least 1")
	case !(s.Speed >= 1): // nor what is no number
		return errors.New("--speed: must be at least 1: a trip cannot be driven slower than it was")
	case !(s.Rate > 0 && s.Rate <= maxRate):
		return fmt.Errorf("--rate: must be above 0, and %d at most", maxRate)
	case s.For < 0:
		return errors.New("--for: must not be negative")
	case s.LongestWait <= 0:
		return errors.New("--longest-wait: must be longer than nothing")
	}
	if s.Traces == "" {
		return nil
	}
	if folder, err := os.Stat(s.Traces); err != nil {
		return fmt.Errorf("--traces: %w", err)
	} else if !folder.IsDir() {
		return fmt.Errorf("--traces: %s is no folder", s.Traces)
	}
	return nil
}

// maxRate is the most positions a second of a made-up car.
const maxRate = 1000

// serverURL is the address of a server as people write it, with a scheme or without, without a path. None stays none.
func serverURL(given string) (string, error) {
	text := given
	if text == "" {
		return "", nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	address, err := url.Parse(text)
	if err != nil || address.Hostname() == "" || address.Scheme != "http" && address.Scheme != "https" {
		return "", fmt.Errorf("--url: %q is not an address such as http://127.0.0.1:8080", given)
	}
	return address.Scheme + "://" + address.Host, nil
}
