//go:build unix

package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// RedisTLS is a Redis server that is reached by TLS, with certificates of an authority of its own.
type RedisTLS struct {
	*Redis
	// URL leads to it, with no word of whom to believe.
	URL string
	// CAFile has the authority's certificate, CertFile and KeyFile one that it has given to a client. Others has that of another
	// authority.
	CAFile, CertFile, KeyFile, Others string
}

// StartRedisTLS starts a server until the end of t that asks clients for a certificate.
func StartRedisTLS(t testing.TB) *RedisTLS {
	t.Helper()
	folder := t.TempDir()
	ca, others := newAuthority(t, folder, "ca"), newAuthority(t, folder, "others")
	server := ca.give(t, folder, "server", x509.ExtKeyUsageServerAuth)
	client := ca.give(t, folder, "client", x509.ExtKeyUsageClientAuth)
	port := freePort(t)
	started := StartRedis(t, "--tls-port", port, "--tls-cert-file", server.certFile, "--tls-key-file", server.keyFile,
		"--tls-ca-cert-file", ca.certFile)
	return &RedisTLS{
		Redis: started, URL: "rediss://127.0.0.1:" + port, CAFile: ca.certFile, CertFile: client.certFile, KeyFile: client.keyFile,
		Others: others.certFile,
	}
}

// certified is a certificate with its key, in files.
type certified struct {
	certFile, keyFile string
	cert              *x509.Certificate
	key               *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, folder, name string) *certified {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return sign(t, folder, name, template, nil)
}

func (c *certified) give(t testing.TB, folder, name string, usage x509.ExtKeyUsage) *certified {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	return sign(t, folder, name, template, c)
}

// sign makes a certificate by an authority; by itself where there is none.
func sign(t testing.TB, folder, name string, template *x509.Certificate, by *certified) *certified {
	t.Helper()
	made := &certified{certFile: filepath.Join(folder, name+".crt"), keyFile: filepath.Join(folder, name+".key")}
	var err error
	if made.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	parent, key := template, made.key
	if by != nil {
		parent, key = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &made.key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if made.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(made.key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		made.certFile: {Type: "CERTIFICATE", Bytes: der}, made.keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return made
}
