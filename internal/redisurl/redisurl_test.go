package redisurl_test

import (
	"slices"
	"strings"
	"testing"

	"rolecall/internal/redisurl"
)

func TestParse(t *testing.T) {
	single, cluster, err := redisurl.Parse("rediss://amy:pass@example.com:6380/3")
	if err != nil || cluster || single.TLSConfig == nil || single.Username != "amy" || single.Password != "pass" ||
		single.SelectDB != 3 || !slices.Equal(single.InitAddress, []string{"example.com:6380"}) {
		t.Errorf("single: %+v, %t, %v", single, cluster, err)
	}
	many, cluster, err := redisurl.Parse("redis://a:1?cluster=true&addr=b:2&addr=c:3")
	if err != nil || !cluster || many.TLSConfig != nil || !slices.Equal(many.InitAddress, []string{"a:1", "b:2", "c:3"}) {
		t.Errorf("cluster: %+v, %t, %v", many, cluster, err)
	}
	watched, cluster, err := redisurl.Parse("rediss://:pass@a:1?master_set=main&addr=b:2&sentinel_user=eve&sentinel_password=word")
	if err != nil || cluster || watched.Sentinel.MasterSet != "main" || watched.Sentinel.Username != "eve" ||
		watched.Sentinel.Password != "word" || watched.Sentinel.TLSConfig == nil || watched.Password != "pass" {
		t.Errorf("Sentinels: %+v, %t, %v", watched, cluster, err)
	}
	if single.TLSConfig.ServerName != "example.com" || watched.TLSConfig.ServerName != "" || watched.Sentinel.TLSConfig.ServerName != "" {
		t.Errorf("certificates are checked for %q and, by Sentinels, for %q", single.TLSConfig.ServerName, watched.TLSConfig.ServerName)
	}
	if secure, _, err := redisurl.Parse("rediss://a:1?cluster=true&addr=b:2"); err != nil || secure.TLSConfig.ServerName != "" {
		t.Errorf("certificates of a cluster are checked for %q, %v", secure.TLSConfig.ServerName, err)
	}
	if socket, _, err := redisurl.Parse("unix:///run/redis.sock?db=2"); err != nil || socket.SelectDB != 2 || socket.DialCtxFn == nil {
		t.Errorf("socket: %+v, %v", socket, err)
	}
}

// No error has a part of the URL in it, which may be a password.
func TestRefused(t *testing.T) {
	for _, text := range []string{
		"hunter2", "http://:hunter2@a:1", "redis:hunter2", "redis://", "redis://:hunter2@a:1/hunter2", "redis://:hunter2@a:1/0/1",
		"redis://:hunter2%zz@a:1", "redis://:hunter2@a:port", "redis://:hunter2@a:1?hunter2=1", "redis://:hunter2@a:1?addr=b:2",
		"redis://:hunter2@a:1?cluster=hunter2", "redis://:hunter2@a:1/1?cluster=true", "redis://:hunter2@a:1?cluster=true&master_set=x",
		"redis://:hunter2@a:1?master_set=", "unix:///sock?master_set=hunter2", "redis://:hunter2@a:1#hunter2",
		"redis://:hunter2@a:1?ca_file=hunter2", "rediss://:hunter2@a:1?ca_file=/hunter2/none", "rediss://:hunter2@a:1?cert_file=hunter2",
		"rediss://:hunter2@a:1?cert_file=/hunter2/none&key_file=/hunter2/none", "rediss://:hunter2@a:1?ca_file=",
		"redis://:hunter2@a:1?skip_verify=hunter2", "rediss://:hunter2@a:1?skip_verify=hunter2", "redis://:hunter2@a:1?%zz",
	} {
		_, _, err := redisurl.Parse(text)
		if err == nil {
			t.Errorf("%s was taken", text)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
