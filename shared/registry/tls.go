package registry

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// tlsConfig loads the certificates that certs.d holds for the registry
// (containers-certs.d(5)).
func (c *Client) tlsConfig() (*tls.Config, error) {
	dir := c.opts.CertDir
	if dir == "" {
		for _, base := range c.cfg.CertDirs() {
			if d := filepath.Join(base, c.repo.Domain); isDir(d) {
				dir = d
				break
			}
		}
	}
	return tlsConfig(c.insecure, dir)
}

// TLS is how other servers than registries are to be spoken to: they have no
// certificates in certs.d.
func (o *Options) TLS() (*tls.Config, error) {
	return tlsConfig(o.TLSVerify != nil && !*o.TLSVerify, o.CertDir)
}

func tlsConfig(insecure bool, dir string) (*tls.Config, error) {
	conf := &tls.Config{InsecureSkipVerify: insecure, MinVersion: tls.VersionTLS12} //nolint:gosec // asked for by the user
	if dir == "" {
		return conf, nil
	}
	return conf, addCertificates(conf, dir)
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

func addCertificates(conf *tls.Config, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read certificates: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		base, ext := strings.TrimSuffix(path, filepath.Ext(path)), filepath.Ext(path)
		switch ext {
		case ".crt":
			if err := addCA(conf, path); err != nil {
				return err
			}
		case ".cert":
			pair, err := tls.LoadX509KeyPair(path, base+".key")
			if err != nil {
				return fmt.Errorf("load client certificate %q: %w", path, err)
			}
			conf.Certificates = append(conf.Certificates, pair)
		case ".key":
			if _, err := os.Stat(base + ".cert"); err != nil {
				return errdef.Newf(errdef.ErrInvalid, "missing client certificate %s.cert for key %s", filepath.Base(base), e.Name())
			}
		}
	}
	return nil
}

func addCA(conf *tls.Config, path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read CA certificate: %w", err)
	}
	if conf.RootCAs == nil {
		if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
			conf.RootCAs = x509.NewCertPool()
		}
	}
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return errdef.Newf(errdef.ErrInvalid, "load CA certificate %q: it holds no PEM certificate", path)
	}
	return nil
}
