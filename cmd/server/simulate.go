package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/fleet"
	"rolecall/internal/simulation/traces"
)

// simulate is the command that drives a fleet.
type simulate struct {
	URL         string        `name:"url" default:"http://127.0.0.1:8080" placeholder:"ADDRESS" help:"Address of the server."`
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
	secret, err := sharedSecret(s.DataDir)
	if err != nil {
		return err
	}
	expiresAt := time.Now().Add(24 * time.Hour)
	c.Token = func(driverID, companyID string) (string, error) {
		return auth.Mint(secret, auth.Identity{
			UserID: driverID, Username: driverID, Role: roles.Driver, CompanyID: companyID, ExpiresAt: expiresAt,
		})
	}
	c.Progress = to.out
	summary, err := fleet.Run(ctx, c)
	if _, failed := fmt.Fprint(to.out, summary); failed != nil {
		return failed
	}
	return err
}

func (s *simulate) fleet() (fleet.Config, error) {
	c := fleet.Config{
		URL: s.URL, Drivers: s.Drivers, Speed: s.Speed, KeepTime: s.KeepTime, LongestWait: s.LongestWait, Rate: s.Rate,
		Duration: s.For, Seed: s.Seed, Companies: strings.Split(s.Companies, ","),
	}
	for _, company := range c.Companies {
		if !roles.ValidUserID(company) {
			return c, fmt.Errorf("--companies: %q is not %s", company, roles.UserIDForm)
		}
	}
	if s.Traces == "" {
		return c, nil
	}
	var err error
	if c.Traces, err = traces.Read(os.DirFS(s.Traces)); err != nil {
		return c, fmt.Errorf("--traces: %w", err)
	}
	return c, nil
}
