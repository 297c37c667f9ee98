package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"rolecall/internal/app"
	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/doctor"
	"rolecall/internal/roles"
)

// examine is the command doctor, which looks for what keeps a server with these settings from running well.
type examine struct {
	config.Settings `embed:""`
	JSON            bool   `name:"json" help:"Print the findings as JSON."`
	URL             string `name:"url" placeholder:"ADDRESS" help:"Address of the server that runs; the one of ROLECALL_ADDR unless given."`
	Token           string `placeholder:"TOKEN" help:"An admin's token for that server; made with the server's secret where there is one."`
}

// errUnwell tells that something has failed, which has been printed.
var errUnwell = errors.New("something is wrong, see above")

// Help is what -help says above the flags.
func (*examine) Help() string {
	return "Looks at configuration, disk, database, Redis, clock, secrets, limits, and at the server that runs, and says what to do. " +
		"It changes nothing. The exit code is 1 where something has failed. It takes the settings of the server."
}

// Run prints what was found.
func (e *examine) Run(ctx context.Context, to output) error {
	url := e.URL
	if url == "" {
		url = config.LocalURL(e.Addr)
	}
	return e.print(to, doctor.Examine(ctx, doctor.Options{
		Config: e.Config, Warnings: e.Warnings(), DatabasePath: app.DatabasePath(e.Config), URL: url, Token: e.token(),
	}))
}

// diagnose prints what is wrong with a setting, which leaves nothing else to look at.
func diagnose(wrong error, args []string, to output) error {
	inJSON := slices.Contains(args, "-json") || slices.Contains(args, "--json")
	return (&examine{JSON: inJSON}).print(to, doctor.Unreadable(wrong))
}

// token is the one that was given, or one that lasts a minute where the secret is at hand; "" where nobody can make any.
func (e *examine) token() string {
	if e.Token != "" {
		return e.Token
	}
	options, hasKey := e.TokenOptions()
	if !hasKey {
		secret, err := auth.ReadSecret(e.DataDir)
		if err != nil {
			return ""
		}
		options.Secret = secret
	}
	if len(options.Secret) == 0 {
		return ""
	}
	now := time.Now()
	signed, err := auth.MintFor(options, auth.Identity{
		UserID: "doctor", Role: roles.Admin, IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	})
	if err != nil {
		return ""
	}
	return signed
}

func (e *examine) print(to output, report doctor.Report) error {
	write := report.WriteText
	if e.JSON {
		write = report.WriteJSON
	}
	if err := write(to.out); err != nil {
		return err
	}
	if !report.OK {
		return errUnwell
	}
	return nil
}
