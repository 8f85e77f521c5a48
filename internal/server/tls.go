package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

func tlsConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get, NextProtos: []string{"h2", "http/1.1"}}
}

// certificate is a pair of files that may be replaced while the server runs, as
// ACME clients do.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	mark    [2]time.Time // modification times of what was read
	checked time.Time
}

// recheck is how often a handshake may look at the files.
const recheck = 2 * time.Second

func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return c, nil
}

func (c *certificate) times() (mark [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return mark, err
		}
		mark[i] = info.ModTime()
	}
	return mark, nil
}

func (c *certificate) read() error {
	mark, err := c.times()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.mark = &pair, mark
	return nil
}

// get returns the pair, read anew when the files have changed. Files that don't
// fit together (one replaced, the other not yet) leave the earlier pair in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) > recheck {
		c.checked = now
		if mark, err := c.times(); err != nil {
			c.log.Warn("certificate files can't be read; the earlier ones stay in use", "error", err)
		} else if mark != c.mark {
			if err := c.read(); err != nil {
				c.log.Warn("new certificate files don't work; the earlier ones stay in use", "error", err)
			} else {
				c.log.Info("certificate read anew")
			}
		}
	}
	return c.pair, nil
}

// SelfSigned makes a certificate for the demo on a local network: browsers give
// a page the camera only over HTTPS.
func SelfSigned(hosts []net.IP, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "citycode demo"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: hosts, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
