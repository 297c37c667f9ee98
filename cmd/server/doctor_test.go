package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/doctor"
	"rolecall/test/servers"
	"rolecall/test/servicetest"
)

// examined runs the doctor, as for programs, and returns the findings and whether it calls the server well.
func examined(t *testing.T, args ...string) (doctor.Report, bool) {
	t.Helper()
	var out, logs servicetest.Lines
	err := run(t.Context(), append([]string{"doctor", "-json"}, args...), &out, &logs)
	if err != nil && !errors.Is(err, errUnwell) {
		t.Fatalf("doctor %v: %v", args, err)
	}
	var report doctor.Report
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatalf("%s: %v", out.String(), err)
	}
	if report.OK != (err == nil) {
		t.Errorf("the report says %t, the command %v", report.OK, err)
	}
	for _, finding := range report.Findings {
		if finding.Check == "" || finding.Found == "" || (finding.Status == doctor.Failed || finding.Status == doctor.Warning) && finding.Todo == "" {
			t.Errorf("says not what to do: %+v", finding)
		}
	}
	return report, err == nil
}

// says fails the test unless a check has a finding of this status that contains the text.
func says(t *testing.T, report doctor.Report, check string, status doctor.Status, text string) {
	t.Helper()
	if !slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
		return f.Check == check && f.Status == status && strings.Contains(f.Found+" "+f.Todo, text)
	}) {
		t.Errorf("no finding of %s is %s and says %q: %+v", check, status, text, report.Findings)
	}
}

// Nothing is there yet, nothing runs, and nothing of that is wrong.
func TestDoctorBeforeTheFirstStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	report, well := examined(t, "-data-dir", dir, "-addr", strings.TrimPrefix(deadAddress(t), "http://"))
	if !well {
		t.Errorf("%+v", report)
	}
	says(t, report, "data folder", doctor.Warning, "not there yet")
	says(t, report, "database", doctor.Fine, "not there yet")
	says(t, report, "server", doctor.Skipped, "none answers")
	says(t, report, "proxies", doctor.Skipped, "-url")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the doctor has made the folder")
	}
}

// What is wrong is found, named, and the exit code tells.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	dead := strings.TrimPrefix(deadAddress(t), "http://")
	secret := newFile(t, strings.Repeat("s", 40))
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir string) (args []string)
		well    bool
		check   string
		status  doctor.Status
		says    string
	}{
		"a bad setting":            {func(*testing.T, string) []string { return []string{"-ping-interval", "soon"} }, false, "configuration", doctor.Failed, "ROLECALL_PING_INTERVAL"},
		"a setting that cannot be": {func(*testing.T, string) []string { return []string{"-max-sockets-per-user", "0"} }, false, "configuration", doctor.Failed, "at least 1"},
		"an insecure choice":       {func(*testing.T, string) []string { return []string{"-allowed-origins", "*"} }, true, "configuration", doctor.Warning, "every origin"},
		"a file for a folder":      {func(t *testing.T, _ string) []string { return []string{"-data-dir", newFile(t, "x")} }, false, "data folder", doctor.Failed, "no folder"},
		"an open folder":           {func(t *testing.T, dir string) []string { return chmod(t, dir, 0o755) }, true, "data folder", doctor.Warning, "chmod o-rwx"},
		"an open secret": {func(t *testing.T, _ string) []string {
			return append(chmod(t, secret, 0o644), "-jwt-secret-file", secret)
		}, true, "secrets", doctor.Warning, "chmod 600 " + secret},
		"an open generated secret": {func(t *testing.T, dir string) []string {
			path := filepath.Join(dir, "jwt-secret")
			write(t, path, strings.Repeat("s", 40))
			return chmod(t, path, 0o640)
		}, true, "secrets", doctor.Warning, "jwt-secret"},
		"a damaged database": {func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "rolecall.db"), strings.Repeat("no database, that is", 1000))
			return nil
		}, false, "database", doctor.Failed, "restore a backup"},
		"an empty database": {func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "rolecall.db"), "")
			return nil
		}, false, "database", doctor.Failed, "rolecall.db"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			args := test.prepare(t, dir)
			report, well := examined(t, append([]string{"-data-dir", dir, "-addr", dead}, args...)...)
			if well != test.well {
				t.Errorf("well: %t, %+v", well, report)
			}
			says(t, report, test.check, test.status, test.says)
		})
	}
}

// What servers share is looked at over the network, and no password is told.
func TestDoctorLooksAtWhatIsShared(t *testing.T) {
	least := "least on >lovelace ~rolecall:* &rolecall:* +@all -publish -zadd"
	server := servers.StartRedis(t, append([]string{"--user"}, strings.Fields(least)...)...)
	database, meeting := servers.Database(t), server.URL
	dead := strings.TrimPrefix(deadAddress(t), "http://")
	examine := func(args ...string) (doctor.Report, bool) {
		return examined(t, append([]string{"-data-dir", t.TempDir(), "-addr", dead}, args...)...)
	}
	report, well := examine("-database-url", database, "-redis-url", meeting)
	if !well {
		t.Errorf("%+v", report)
	}
	says(t, report, "database", doctor.Warning, "to apply")
	says(t, report, "redis", doctor.Fine, "answers: one server, version ")
	says(t, report, "redis", doctor.Fine, "allows all")
	says(t, report, "nodes", doctor.Fine, "no server")
	says(t, report, "clock", doctor.Fine, "database")
	says(t, report, "clock", doctor.Fine, "redis")

	var out, logs servicetest.Lines
	if err := run(t.Context(), []string{"migrate", "-database-url", database}, &out, &logs); err != nil {
		t.Fatal(err)
	}
	report, _ = examine("-database-url", database)
	says(t, report, "database", doctor.Fine, "up to date")

	server.Ask("ZADD rolecall:{0}:nodes 9999999999999 one-abc.1 9999999999999 two-abc.2 1 gone-abc.1")
	report, well = examine("-database-url", database, "-redis-url", "redis://least:lovelace@"+server.Address)
	if text := fmt.Sprintf("%+v", report); well || strings.Contains(text, "lovelace") {
		t.Errorf("well: %t; %s", well, text)
	}
	says(t, report, "redis", doctor.Failed, "not allowed publish, zadd")
	says(t, report, "nodes", doctor.Fine, "2 there now: one, two")
	report, well = examine("-database-url", database, "-redis-url", meeting+"?cluster=true")
	if well {
		t.Errorf("no cluster, and well: %+v", report)
	}
	says(t, report, "redis", doctor.Failed, "cluster=true")

	report, well = examine("-redis-url", meeting)
	if !well {
		t.Errorf("%+v", report)
	}
	says(t, report, "redis", doctor.Warning, "ROLECALL_DATABASE_URL")

	report, well = examine("-database-url", "postgres://ada:lovelace@"+dead+"/x", "-redis-url", "redis://:lovelace@"+dead)
	if well || strings.Contains(servicetest.Encode(report), "lovelace") {
		t.Errorf("well: %t, %+v", well, report)
	}
	says(t, report, "database", doctor.Failed, "ROLECALL_DATABASE_URL")
	says(t, report, "redis", doctor.Failed, "ROLECALL_REDIS_URL")
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) []string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return nil
}

// A server that runs is asked, its database looked at beside it, and what its proxies send is held against the setting.
func TestDoctorAsksTheServer(t *testing.T) {
	var logs servicetest.Lines
	dir := t.TempDir()
	url := serving(t, &logs, "-data-dir", dir)
	ask := func(args ...string) doctor.Report {
		t.Helper()
		report, well := examined(t, append([]string{"-data-dir", dir, "-url", url}, args...)...)
		if !well {
			t.Errorf("%+v", report)
		}
		return report
	}
	report := ask()
	says(t, report, "server", doctor.Fine, "takes traffic")
	says(t, report, "database", doctor.Fine, "up to date")
	says(t, report, "proxies", doctor.Fine, "none seems to be there")
	says(t, ask("-token", "x.y.z"), "proxies", doctor.Skipped, "does not take the token")
	says(t, ask("-trusted-proxies", "10.0.0.1"), "proxies", doctor.Warning, "no request has come")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	says(t, ask(), "proxies", doctor.Warning, "127.0.0.1 is your proxy, name it in ROLECALL_TRUSTED_PROXIES")
	if strings.Contains(logs.String(), `"level":"ERROR"`) {
		t.Errorf("the server was harmed: %s", logs.String())
	}
}

// What people read names every check, and what is to be done below it.
func TestDoctorInWords(t *testing.T) {
	var out, logs servicetest.Lines
	err := run(t.Context(), []string{"doctor", "-data-dir", newFile(t, "x"), "-addr", strings.TrimPrefix(deadAddress(t), "http://")}, &out, &logs)
	if !errors.Is(err, errUnwell) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"failed   data folder", "-> Name a folder in ROLECALL_DATA_DIR", "open files", "clock", "disk", "failed, "} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("does not say %q:\n%s", text, out.String())
		}
	}
}
