package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// defaultDaemon is where a Docker daemon listens.
const defaultDaemon = "unix:///var/run/docker.sock"

// maxDaemonAnswer bounds what a daemon says beside an image, in bytes.
const maxDaemonAnswer = 1 << 20

// daemon is a Docker daemon, which gives and takes images as docker-archives.
type daemon struct {
	host string // as given
	base string // of its URLs
	http *http.Client
}

// newDaemon reads a host as docker's -H does: unix:///PATH, http://HOST:PORT, or
// tcp:// or https://, which want TLS.
func newDaemon(o Options) (*daemon, error) {
	d := &daemon{host: o.DaemonHost}
	if d.host == "" {
		d.host = defaultDaemon
	}
	u, err := url.Parse(d.host)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "unable to parse docker host %q", d.host)
	}
	t := &http.Transport{DisableCompression: true}
	switch {
	case u.Scheme == "unix" && u.Path != "":
		d.base = "http://docker"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", u.Path)
		}
	case u.Scheme == "http" && u.Host != "":
		d.base = "http://" + u.Host
	case (u.Scheme == "tcp" || u.Scheme == "https") && u.Host != "":
		d.base = "https://" + u.Host
		if t.TLSClientConfig, err = daemonTLS(o); err != nil {
			return nil, err
		}
	default:
		return nil, errdef.Newf(errdef.ErrInvalid, "unable to parse docker host %q (want unix:///PATH, tcp://HOST:PORT, http:// or https://)", d.host)
	}
	d.http = &http.Client{Transport: t}
	return d, nil
}

// daemonTLS uses ca.pem, cert.pem and key.pem of the certificate directory, as
// docker does.
func daemonTLS(o Options) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	c.InsecureSkipVerify = o.Registry.TLSVerify != nil && !*o.Registry.TLSVerify
	dir := o.Registry.CertDir
	if dir == "" {
		return c, nil
	}
	if ca, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err == nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errdef.Newf(errdef.ErrInvalid, "%q holds no certificate", filepath.Join(dir, "ca.pem"))
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	switch {
	case err == nil:
		c.Certificates = []tls.Certificate{pair}
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("load client certificate of %q: %w", dir, err)
	}
	return c, nil
}

// do sends a request and gives the answer if it is a good one.
func (d *daemon) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-tar")
	}
	resp, err := d.http.Do(req)
	if err != nil {
		var refused *net.OpError
		if errors.As(err, &refused) && refused.Op == "dial" {
			return nil, errdef.Newf(errdef.ErrUnavailable, "cannot connect to the Docker daemon at %s: %w", d.host, refused.Err)
		}
		return nil, fmt.Errorf("asking the Docker daemon at %s: %w", d.host, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxDaemonAnswer))
	var answer struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(said, &answer) != nil || answer.Message == "" {
		answer.Message = resp.Status
	}
	return nil, errdef.Newf(daemonClass(resp.StatusCode), "error response from the Docker daemon: %s", strings.Join(strings.Fields(answer.Message), " "))
}

func daemonClass(status int) error {
	switch status {
	case http.StatusNotFound:
		return errdef.ErrNotFound
	case http.StatusForbidden, http.StatusUnauthorized:
		return errdef.ErrDenied
	}
	return errdef.ErrUnavailable
}

// openDaemon takes the image out of the daemon, into a nameless file.
func openDaemon(ctx context.Context, l Ref, o Options) (Source, error) {
	d, err := newDaemon(o)
	if err != nil {
		return nil, err
	}
	defer d.http.CloseIdleConnections()
	name := l.Image
	if name == "" {
		name = l.Name.Familiar()
	}
	body, err := d.do(ctx, http.MethodGet, "/images/"+url.PathEscape(name)+"/get", nil)
	if err != nil {
		return nil, fmt.Errorf("loading image from docker engine: %w", err)
	}
	defer body.Close()
	f, err := nameless(o.Config.Engine.ImageCopyTmpDir)
	if err != nil {
		return nil, err
	}
	if err := fill(f, body); err != nil {
		return nil, firstError(fmt.Errorf("loading image from docker engine: %w", err), f.Close())
	}
	t, err := listTar(f)
	if err != nil {
		return nil, err
	}
	return newDockerArchive(t, Ref{Transport: ref.DockerDaemon, Index: -1})
}

// createDaemon collects the archive that the daemon gets at the end.
func createDaemon(l Ref, o Options) (Destination, error) {
	if l.Image != "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "Invalid destination %s: a destination must be a name:tag", l)
	}
	d, err := newDaemon(o)
	if err != nil {
		return nil, err
	}
	w, err := createTar(filepath.Join(o.Config.Engine.ImageCopyTmpDir, "image"), "")
	if err != nil {
		return nil, err
	}
	w.deliver = d.load
	a := &DockerArchive{w: w}
	dst := a.image([]ref.Name{l.Name})
	dst.alone = true
	return dst, nil
}

// load gives the daemon an archive. It answers with a line of JSON for each
// step, of which the last may be an error.
func (d *daemon) load(ctx context.Context, archive *os.File) error {
	defer d.http.CloseIdleConnections()
	body, err := d.do(ctx, http.MethodPost, "/images/load?quiet=1", io.NopCloser(archive))
	if err != nil {
		return err
	}
	defer body.Close()
	steps := json.NewDecoder(io.LimitReader(body, maxDaemonAnswer))
	for {
		var step struct {
			Error string `json:"error"`
		}
		if err := steps.Decode(&step); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("parse the Docker daemon's answer: %w", err)
		}
		if step.Error != "" {
			return errdef.Newf(errdef.ErrInvalid, "the Docker daemon did not take the image: %s", strings.Join(strings.Fields(step.Error), " "))
		}
	}
}
