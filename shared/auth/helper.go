package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// A credential helper is a program docker-credential-NAME that speaks the
// protocol of Docker's credential helpers on its standard streams. Secrets go
// through the streams, never through arguments.

type helperCredentials struct {
	ServerURL string
	Username  string
	Secret    string
}

// tokenUser is the user name with which helpers mark an identity token.
const tokenUser = "<token>"

func helperGet(ctx context.Context, helper, server string) (Credentials, error) {
	out, err := runHelper(ctx, helper, "get", []byte(server))
	if err != nil {
		if strings.Contains(err.Error(), "credentials not found") {
			return Credentials{}, nil
		}
		return Credentials{}, err
	}
	var h helperCredentials
	if err := json.Unmarshal(out, &h); err != nil {
		return Credentials{}, errdef.Newf(errdef.ErrInvalid, "parse the answer of credential helper %q: %w", helper, err)
	}
	if h.Username == tokenUser {
		return Credentials{IdentityToken: h.Secret}, nil
	}
	return Credentials{Username: h.Username, Password: h.Secret}, nil
}

func helperStore(ctx context.Context, helper, server string, c Credentials) error {
	h := helperCredentials{ServerURL: server, Username: c.Username, Secret: c.Password}
	if c.IdentityToken != "" {
		h.Username, h.Secret = tokenUser, c.IdentityToken
	}
	in, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = runHelper(ctx, helper, "store", in)
	return err
}

func helperErase(ctx context.Context, helper, server string) error {
	_, err := runHelper(ctx, helper, "erase", []byte(server))
	return err
}

func runHelper(ctx context.Context, helper, verb string, in []byte) ([]byte, error) {
	if strings.ContainsAny(helper, "/ ") {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid credential helper name %q", helper)
	}
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, verb)
	cmd.Stdin = bytes.NewReader(in)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(out.String() + " " + stderr.String()); text != "" {
			err = errors.New(text)
		}
		return nil, fmt.Errorf("run credential helper %q: %w", "docker-credential-"+helper, err)
	}
	return out.Bytes(), nil
}
