package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/errdef"
)

// challenge is a WWW-Authenticate header (RFC 9110, RFC 6750).
type challenge struct {
	scheme string // lower case
	params map[string]string
}

type token struct {
	value   string
	expires time.Time
}

// pickChallenge takes the strongest challenge that can be met.
func pickChallenge(headers []string) *challenge {
	var basic *challenge
	for _, h := range headers {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(h), " ")
		c := &challenge{scheme: strings.ToLower(scheme), params: parseParams(rest)}
		switch c.scheme {
		case "bearer":
			return c
		case "basic":
			basic = c
		}
	}
	return basic
}

// parseParams reads key=value and key="value" pairs parted by commas.
func parseParams(s string) map[string]string {
	params := map[string]string{}
	for s = strings.TrimLeft(s, " ,"); s != ""; s = strings.TrimLeft(s, " ,") {
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if !strings.HasPrefix(rest, `"`) {
			params[key], s, _ = strings.Cut(rest, ",")
			params[key] = strings.TrimSpace(params[key])
			continue
		}
		var value strings.Builder
		i := 1
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' && i+1 < len(rest) {
				i++
			}
			value.WriteByte(rest[i])
		}
		params[key] = value.String()
		s = rest[min(i+1, len(rest)):]
	}
	return params
}

// authorize puts the credentials that the registry asked for on the request.
func (c *Client) authorize(ctx context.Context, req *http.Request, scope string, renew bool) error {
	if c.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Token)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.login == nil {
		return nil
	}
	creds, err := c.credentials(ctx)
	if err != nil {
		return err
	}
	if c.login.scheme == "basic" {
		if !creds.IsZero() {
			req.SetBasicAuth(creds.Username, creds.Password)
		}
		return nil
	}
	t, ok := c.tokens[scope]
	if !ok || renew || time.Now().After(t.expires) {
		if t, err = c.fetchToken(ctx, scope, creds); err != nil {
			return err
		}
		c.tokens[scope] = t
	}
	req.Header.Set("Authorization", "Bearer "+t.value)
	return nil
}

// credentials looks up, once, what is stored for the repository.
func (c *Client) credentials(ctx context.Context) (auth.Credentials, error) {
	if c.creds != nil {
		return *c.creds, nil
	}
	var found auth.Credentials
	switch {
	case c.opts.Anonymous:
	case c.opts.Credentials != nil:
		found = *c.opts.Credentials
	default:
		s, err := auth.Open(c.cfg, c.opts.AuthFile)
		if err != nil {
			return found, err
		}
		key := c.repo.Domain
		if c.repo.Path != "" {
			key += "/" + c.repo.Path
		}
		if found, err = s.Lookup(ctx, key); err != nil {
			return found, err
		}
	}
	c.creds = &found
	return found, nil
}

// fetchToken asks the token server that the registry named
// (distribution.github.io/distribution/spec/auth/token).
func (c *Client) fetchToken(ctx context.Context, scope string, creds auth.Credentials) (token, error) {
	realm, err := url.Parse(c.login.params["realm"])
	if err != nil || realm.Host == "" || realm.Scheme != "https" && (realm.Scheme != "http" || c.scheme == "https" && !c.insecure) {
		return token{}, errdef.Newf(errdef.ErrInvalid, "log in to %s: it names the token server %q, which is not an https URL", c.host(), oneLine(c.login.params["realm"]))
	}
	values := url.Values{}
	if s := c.login.params["service"]; s != "" {
		values.Set("service", s)
	}
	if scope == "" {
		scope = c.login.params["scope"]
	}
	for s := range strings.FieldsSeq(scope) {
		values.Add("scope", s)
	}
	req, err := tokenRequest(ctx, realm, values, creds)
	if err != nil {
		return token{}, err
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	resp, err := c.send(req)
	if err != nil {
		return token{}, fmt.Errorf("log in to %s: %w", c.host(), err)
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return token{}, fmt.Errorf("requesting a token from %s: %w", realm.Host, responseError(resp))
	}
	return parseToken(resp)
}

func tokenRequest(ctx context.Context, realm *url.URL, values url.Values, creds auth.Credentials) (*http.Request, error) {
	if creds.IdentityToken != "" {
		values.Set("grant_type", "refresh_token")
		values.Set("refresh_token", creds.IdentityToken)
		values.Set("client_id", DefaultUserAgent)
		values["scope"] = []string{strings.Join(values["scope"], " ")}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, realm.String(), strings.NewReader(values.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	}
	u := *realm
	query := u.Query()
	for k, v := range values {
		query[k] = v
	}
	if creds.Username != "" {
		query.Set("account", creds.Username)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err == nil && creds.Username != "" {
		basic := base64.StdEncoding.EncodeToString([]byte(creds.Username + ":" + creds.Password))
		req.Header.Set("Authorization", "Basic "+basic)
	}
	return req, err
}

func parseToken(resp *http.Response) (token, error) {
	data, err := readLimited(resp, maxTokenSize)
	if err != nil {
		return token{}, fmt.Errorf("reading token: %w", err)
	}
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return token{}, garbled("token", err)
	}
	t := token{value: answer.Token}
	if t.value == "" {
		t.value = answer.AccessToken
	}
	if t.value == "" {
		return token{}, errdef.Newf(errdef.ErrInvalid, "the token server's answer has no token")
	}
	// The specification gives 60 s to a token without a lifetime.
	life := time.Duration(max(answer.ExpiresIn, 60)) * time.Second
	t.expires = time.Now().Add(life - life/10)
	return t, nil
}

// CheckLogin tells whether the registry takes the credentials.
func (c *Client) CheckLogin(ctx context.Context) error {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: "/v2/"})
	if err != nil {
		return err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return errdef.Newf(errdef.ErrDenied, "invalid username/password")
	}
	return responseError(resp)
}
