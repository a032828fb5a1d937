package engine

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/event"
	"github.com/podsuite/podsuite/podman/engine/secret"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Secrets are the store's secrets.
func (e *Engine) Secrets() *secret.Store {
	return secret.Open(filepath.Join(e.Store.GraphRoot(), "secrets"))
}

// CreateSecretRequest keeps a secret.
type CreateSecretRequest struct {
	Name          string
	Data          []byte
	Driver        string // "" is the configured one
	DriverOptions map[string]string
	Labels        []string
	Replace       bool
	Ignore        bool
}

// CreateSecret keeps a secret and returns its ID.
func (e *Engine) CreateSecret(req CreateSecretRequest) (string, error) {
	if req.Replace && req.Ignore {
		return "", errdef.Newf(errdef.ErrInvalid, "ignore and replace options are mutually exclusive: --ignore and --replace cannot be used together")
	}
	o := secret.CreateOptions{Driver: first(req.Driver, e.Config.Secrets.Driver, "file"), DriverOptions: req.DriverOptions,
		Replace: req.Replace, Ignore: req.Ignore}
	if o.Driver == e.Config.Secrets.Driver && len(o.DriverOptions) == 0 {
		o.DriverOptions = e.Config.Secrets.Opts
	}
	if len(req.Labels) > 0 {
		o.Labels = map[string]string{}
		addPairs(o.Labels, req.Labels)
	}
	made, err := e.Secrets().Create(req.Name, req.Data, o)
	if err != nil {
		return "", err
	}
	e.event(event.Event{Type: event.Secret, Status: "create", ID: made.ID, Name: made.Name})
	return made.ID, nil
}

// SecretInfo is what inspect prints of a secret, with the reference's keys.
type SecretInfo struct {
	ID         string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Spec       SecretSpec
	SecretData string `json:",omitempty"`
}

// SecretSpec is what a secret was made of.
type SecretSpec struct {
	Name   string
	Driver SecretDriver
	Labels map[string]string
}

// SecretDriver is how a secret is kept.
type SecretDriver struct {
	Name    string
	Options map[string]string
}

func describeSecret(s secret.Secret) SecretInfo {
	labels := maps.Clone(s.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	return SecretInfo{ID: s.ID, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		Spec: SecretSpec{Name: s.Name, Driver: SecretDriver{s.Driver, s.DriverOptions}, Labels: labels}}
}

// InspectSecret tells of a secret; its data only if show.
func (e *Engine) InspectSecret(nameOrID string, show bool) (*SecretInfo, error) {
	s, err := e.Secrets().Find(nameOrID)
	if err != nil {
		return nil, err
	}
	info := describeSecret(s)
	if show {
		data, err := e.Secrets().Data(s)
		if err != nil {
			return nil, err
		}
		info.SecretData = string(data)
	}
	return &info, nil
}

// ListSecrets lists the secrets that all filters keep, by name.
func (e *Engine) ListSecrets(filters []string) ([]SecretInfo, error) {
	wanted := map[string][]string{}
	for _, text := range filters {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key != "name" && key != "id" {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid filter %q", key)
		}
		wanted[key] = append(wanted[key], value)
	}
	names, err := patterns(wanted["name"])
	if err != nil {
		return nil, err
	}
	all, err := e.Secrets().List()
	if err != nil {
		return nil, err
	}
	list := []SecretInfo{}
	for _, s := range all {
		if len(names) > 0 && !matchesAny(names, s.Name) {
			continue
		}
		if ids := wanted["id"]; len(ids) > 0 && !slices.ContainsFunc(ids, func(v string) bool { return strings.HasPrefix(s.ID, v) }) {
			continue
		}
		list = append(list, describeSecret(s))
	}
	return list, nil
}

// RemoveSecret forgets a secret and returns its ID.
func (e *Engine) RemoveSecret(nameOrID string) (string, error) {
	gone, err := e.Secrets().Remove(nameOrID)
	if err != nil {
		return "", err
	}
	e.event(event.Event{Type: event.Secret, Status: "remove", ID: gone.ID, Name: gone.Name})
	return gone.ID, nil
}
