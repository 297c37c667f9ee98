package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/fleet"
	"rolecall/internal/simulation/traces"
)

// simulation is the settings of a simulated fleet.
type simulation struct {
	fleet     fleet.Config
	companies string
	tracesDir string
	dataDir   string
}

// simulateFleet drives recorded trips or made-up cars against any running server that shares a secret with this one.
func simulateFleet(ctx context.Context, args []string, out, errors io.Writer) error {
	s, err := parseSimulation(args, errors)
	if err != nil {
		return err
	}
	secret, err := sharedSecret(s.dataDir)
	if err != nil {
		return err
	}
	expiresAt := time.Now().Add(24 * time.Hour)
	s.fleet.Token = func(driverID, companyID string) (string, error) {
		return auth.Mint(secret, auth.Identity{
			UserID: driverID, Username: driverID, Role: roles.Driver, CompanyID: companyID, ExpiresAt: expiresAt,
		})
	}
	s.fleet.Progress = out
	summary, err := fleet.Run(ctx, s.fleet)
	if _, failed := fmt.Fprint(out, summary); failed != nil {
		return failed
	}
	return err
}

func parseSimulation(args []string, errors io.Writer) (simulation, error) {
	var s simulation
	flags := flag.NewFlagSet("server simulate", flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.StringVar(&s.fleet.URL, "url", "http://127.0.0.1:8080", "`address` of the server")
	flags.StringVar(&s.tracesDir, "traces", "", "`folder` of recorded trips, one a driver (CSV: ts,lat,lng,speed_mps,heading_deg,accuracy_m,altitude_m)")
	flags.IntVar(&s.fleet.Drivers, "drivers", 20, "`number` of made-up cars, where there are no recorded trips")
	flags.Float64Var(&s.fleet.Speed, "speed", 1, "how many `times` faster than recorded")
	flags.BoolVar(&s.fleet.KeepTime, "keep-time", false, "send recorded time stamps as they are, instead of ending now")
	flags.DurationVar(&s.fleet.LongestWait, "longest-wait", 5*time.Second, "cut longer pauses of a recorded trip to this `time`")
	flags.Float64Var(&s.fleet.Rate, "rate", 1, "positions a second of a made-up car")
	flags.DurationVar(&s.fleet.Duration, "for", 0, "how `long` made-up cars drive; 0 until interrupted")
	flags.Uint64Var(&s.fleet.Seed, "seed", 1, "`number` that picks the made-up town and its drives")
	flags.StringVar(&s.companies, "companies", roles.DefaultCompany, "`companies` the drivers work for, in turn, comma-separated")
	flags.StringVar(&s.dataDir, "data-dir", "", "`folder` with the server's generated secret; default as for the server")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	for company := range strings.SplitSeq(s.companies, ",") {
		if !roles.ValidUserID(company) {
			return s, fmt.Errorf("-companies: %q is not 1 to 64 of A-Z a-z 0-9 _ -", company)
		}
		s.fleet.Companies = append(s.fleet.Companies, company)
	}
	if s.tracesDir == "" {
		return s, nil
	}
	var err error
	if s.fleet.Traces, err = traces.Read(os.DirFS(s.tracesDir)); err != nil {
		return s, fmt.Errorf("-traces: %w", err)
	}
	return s, nil
}
