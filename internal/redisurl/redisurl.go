// Package redisurl reads where Redis is.
package redisurl

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// errURL says what is expected.
var errURL = errors.New("is not of the form redis://user:password@host:6379/0, rediss:// for TLS, unix:///path, with ?cluster=true for a cluster, ?master_set=name for Sentinels, and &addr=host:port for more addresses of either")

// Parse reads where Redis is:
//
//	redis://[user[:password]@]host[:port][/database]   rediss:// with TLS, unix:///path for a socket
//	?cluster=true                                      the server is a cluster
//	?addr=host:port                                    once for each further address of the cluster, or Sentinel
//	?master_set=name                                   the addresses are Sentinels, which know the server of that name
//	?sentinel_user=name&sentinel_password=secret       who asks the Sentinels
//	?skip_verify=true                                  do not check the certificate
//
// It tells whether the server is a cluster. No error has what stands in the URL, which may be a password.
func Parse(text string) (options rueidis.ClientOption, cluster bool, err error) {
	known := []string{"cluster", "addr", "master_set", "sentinel_user", "sentinel_password", "skip_verify", "db"}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" ||
		!slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) || (u.Scheme == "unix") != (u.Host == "") {
		return options, false, errURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return options, false, errURL
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return options, false, fmt.Errorf("has a parameter that is none of %s", strings.Join(known, ", "))
		}
		if slices.Contains(values, "") {
			return options, false, fmt.Errorf("has the parameter %s without a value", name)
		}
	}
	cluster = query.Get("cluster") == "true"
	switch sentinel := query.Has("master_set"); {
	case query.Has("cluster") && !cluster && query.Get("cluster") != "false":
		return options, false, errors.New("has the parameter cluster that is neither true nor false")
	case sentinel && (cluster || u.Scheme == "unix"):
		return options, false, errors.New("names Sentinels and a cluster or a socket, which are not found by them")
	case query.Has("skip_verify") && u.Scheme != "rediss":
		return options, false, errors.New("has the parameter skip_verify, of which there is nothing without TLS (rediss://)")
	case query.Has("addr") && !sentinel && !cluster:
		return options, false, errors.New("has more than one address, for a cluster (cluster=true) or Sentinels (master_set=name)")
	}
	options, err = rueidis.ParseURL(text)
	if err != nil {
		return rueidis.ClientOption{}, false, errURL
	}
	if cluster && options.SelectDB != 0 {
		return rueidis.ClientOption{}, false, errors.New("names a database, of which a cluster has one alone")
	}
	options.Sentinel.Username, options.Sentinel.Password = query.Get("sentinel_user"), query.Get("sentinel_password")
	options.Sentinel.TLSConfig = options.TLSConfig
	if u.Scheme == "unix" {
		options.ForceSingleClient = true
	}
	return options, cluster, nil
}
