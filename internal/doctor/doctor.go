// Package doctor looks for what keeps a server from running well: its settings, disk, database, Redis, clock, secrets, limits, and
// what a running server says of its proxies. It changes nothing, and says what to do.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"rolecall/internal/config"
)

// Status is how something is.
type Status string

// The statuses. A Warning leaves the server running; a Failed keeps it from starting, or from what it promises.
const (
	Fine    Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
	// Skipped: it could not be looked at, and need not be.
	Skipped Status = "skipped"
)

// Finding is what was found of one thing.
type Finding struct {
	// Check names what was looked at.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Found is what there is, in a sentence.
	Found string `json:"found"`
	// Todo is what to do about it; "" where nothing is to be done.
	Todo string `json:"todo,omitempty"`
}

// Report is all findings.
type Report struct {
	OK       bool      `json:"ok"`
	Findings []Finding `json:"findings"`
}

// Options is what is examined.
type Options struct {
	Config   config.Config
	Warnings []config.Warning
	// DatabasePath is the SQLite file.
	DatabasePath string
	// URL is where the server runs, Token an admin's token for it; "" where there is none.
	URL, Token string
	Now        func() time.Time
}

// patience is how long one check may take.
const patience = 20 * time.Second

// Examine makes every check.
func Examine(ctx context.Context, o Options) Report {
	if o.Now == nil {
		o.Now = time.Now
	}
	var all []Finding
	for _, check := range []func(context.Context, Options) []Finding{
		settings, folder, space, stored, redis, secrets, files, running,
	} {
		looking, stop := context.WithTimeout(ctx, patience)
		all = append(all, check(looking, o)...)
		stop()
	}
	return reportOf(all)
}

// Unreadable is the report where the settings cannot be read, so that nothing else can be looked at.
func Unreadable(err error) Report {
	return reportOf([]Finding{{Check: "configuration", Status: Failed, Found: err.Error(), Todo: "Correct the setting: without it the server does not start."}})
}

func reportOf(all []Finding) Report {
	report := Report{OK: true, Findings: all}
	for _, finding := range all {
		report.OK = report.OK && finding.Status != Failed
	}
	return report
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(to io.Writer) error {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteText writes the report for people.
func (r Report) WriteText(to io.Writer) error {
	counts := make(map[Status]int)
	for _, finding := range r.Findings {
		counts[finding.Status]++
		if _, err := fmt.Fprintf(to, "%-8s %-14s %s\n", finding.Status, finding.Check, finding.Found); err != nil {
			return err
		}
		if finding.Todo != "" {
			if _, err := fmt.Fprintf(to, "%-8s %-14s -> %s\n", "", "", finding.Todo); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(to, "\n%d failed, %d to look at, %d fine, %d skipped.\n", counts[Failed], counts[Warning], counts[Fine], counts[Skipped])
	return err
}

func one(check string, status Status, todo, found string, args ...any) []Finding {
	return []Finding{{Check: check, Status: status, Found: fmt.Sprintf(found, args...), Todo: todo}}
}

// settings tells of insecure choices and of variables that mean nothing; bad values come as Unreadable.
func settings(_ context.Context, o Options) []Finding {
	if len(o.Warnings) == 0 {
		return one("configuration", Fine, "", "every setting can be used")
	}
	var all []Finding
	for _, warning := range o.Warnings {
		all = append(all, one("configuration", Warning, "Correct it, or leave it where it is meant so.", "%s", warning)...)
	}
	return all
}
