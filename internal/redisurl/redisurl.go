// Package redisurl reads where Redis is.
package redisurl

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
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
//	?ca_file=path                                      whose certificates are believed, instead of the system's
//	?cert_file=path&key_file=path                      the certificate that is shown
//	?skip_verify=true                                  do not check the certificate
//
// Every address of a cluster, of Sentinels and of what they know is checked for its own name.
// It tells whether the server is a cluster. No error has what stands in the URL, which may be a password.
func Parse(text string) (options rueidis.ClientOption, cluster bool, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" ||
		!slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) || (u.Scheme == "unix") != (u.Host == "") {
		return options, false, errURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return options, false, errURL
	}
	cluster = query.Get("cluster") == "true"
	if err := check(u.Scheme, query); err != nil {
		return options, false, err
	}
	options, err = rueidis.ParseURL(text)
	if err != nil {
		return rueidis.ClientOption{}, false, errURL
	}
	if cluster && options.SelectDB != 0 {
		return rueidis.ClientOption{}, false, errors.New("names a database, of which a cluster has one alone")
	}
	if options.TLSConfig != nil {
		if err := secure(options.TLSConfig, query); err != nil {
			return rueidis.ClientOption{}, false, err
		}
		if cluster || query.Has("master_set") {
			options.TLSConfig.ServerName = ""
		}
	}
	// Neither is of use here, and each takes rights of a user (CLIENT TRACKING, CLIENT SETINFO).
	options.DisableCache, options.ClientSetInfo = true, rueidis.DisableClientSetInfo
	options.Sentinel.Username, options.Sentinel.Password = query.Get("sentinel_user"), query.Get("sentinel_password")
	options.Sentinel.TLSConfig = options.TLSConfig
	if u.Scheme == "unix" {
		options.ForceSingleClient = true
	}
	return options, cluster, nil
}

// check finds parameters that mean nothing, or nothing together.
func check(scheme string, query url.Values) error {
	known := []string{
		"cluster", "addr", "master_set", "sentinel_user", "sentinel_password", "ca_file", "cert_file", "key_file", "skip_verify", "db",
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return fmt.Errorf("has a parameter that is none of %s", strings.Join(known, ", "))
		}
		if slices.Contains(values, "") {
			return fmt.Errorf("has the parameter %s without a value", name)
		}
	}
	for _, name := range []string{"skip_verify", "ca_file", "cert_file", "key_file"} {
		if query.Has(name) && scheme != "rediss" {
			return fmt.Errorf("has the parameter %s, of which there is nothing without TLS (rediss://)", name)
		}
	}
	cluster := query.Get("cluster")
	switch sentinel := query.Has("master_set"); {
	case query.Has("cluster") && cluster != "true" && cluster != "false":
		return errors.New("has the parameter cluster that is neither true nor false")
	case sentinel && (cluster == "true" || scheme == "unix"):
		return errors.New("names Sentinels and a cluster or a socket, which are not found by them")
	case query.Has("cert_file") != query.Has("key_file"):
		return errors.New("has one of the parameters cert_file and key_file, which go together")
	case query.Has("addr") && !sentinel && cluster != "true":
		return errors.New("has more than one address, for a cluster (cluster=true) or Sentinels (master_set=name)")
	}
	return nil
}

// secure takes the certificates that a URL names. Its errors name no path, which the parameters do.
func secure(options *tls.Config, query url.Values) error {
	if path := query.Get("ca_file"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return errors.New("names a ca_file that cannot be read")
		}
		options.RootCAs = x509.NewCertPool()
		if !options.RootCAs.AppendCertsFromPEM(text) {
			return errors.New("names a ca_file without certificates (PEM)")
		}
	}
	if path := query.Get("cert_file"); path != "" {
		pair, err := tls.LoadX509KeyPair(path, query.Get("key_file"))
		if err != nil {
			return errors.New("names a cert_file and a key_file that are no certificate (PEM) and its key, or cannot be read")
		}
		options.Certificates = []tls.Certificate{pair}
	}
	return nil
}
