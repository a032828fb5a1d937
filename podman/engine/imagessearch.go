package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
)

// SearchRequest looks for repositories, or for the tags of one.
type SearchRequest struct {
	Term     string // begins with a registry, or is looked for in all to search
	Limit    int    // results of each registry; 0 is 25
	ListTags bool
	Filters  []string
	Registry registry.Options
}

// FoundImage is one repository, or one tag of it.
type FoundImage struct {
	Index       string // the registry
	Name        string
	Description string
	Stars       int
	Official    bool
	Automated   bool
	Tag         string
}

// defaultSearchLimit bounds the results of a registry.
const defaultSearchLimit = 25

// SearchImages asks registries. It needs no store. What one registry answers
// is returned although another one fails.
func SearchImages(ctx context.Context, cfg *config.Config, req SearchRequest) ([]FoundImage, error) {
	keep, err := searchFilter(req.Filters)
	if err != nil {
		return nil, err
	}
	if req.Limit < 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid --limit %d: want a number from 1 up", req.Limit)
	}
	if req.Limit == 0 {
		req.Limit = defaultSearchLimit
	}
	host, term := splitTerm(req.Term)
	hosts := []string{host}
	if host == "" {
		regs, err := cfg.Registries()
		if err != nil {
			return nil, err
		}
		hosts = regs.UnqualifiedSearch
	}
	if term == "" && req.ListTags {
		return nil, errdef.Newf(errdef.ErrInvalid, "to list tags, give the name of a repository")
	}
	var found []FoundImage
	var errs []error
	for _, host := range hosts {
		some, err := searchRegistry(ctx, cfg, host, term, req)
		if err != nil {
			errs = append(errs, err)
		}
		for _, f := range some {
			if keep(&f) {
				found = append(found, f)
			}
		}
	}
	if len(errs) == 0 {
		return found, nil
	}
	return found, searchErrors(errs)
}

// searchErrors lists the errors of registries, also a single one.
func searchErrors(errs []error) error {
	if len(errs) > 1 {
		return JoinErrors(errs)
	}
	return fmt.Errorf("1 error occurred:\n\t* %w", errs[0])
}

// splitTerm parts the registry from the term: the first part is one if it
// looks like a host.
func splitTerm(s string) (host, term string) {
	host, term, ok := strings.Cut(s, "/")
	if ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return host, term
	}
	return "", s
}

func searchRegistry(ctx context.Context, cfg *config.Config, host, term string, req SearchRequest) ([]FoundImage, error) {
	name := ref.Name{Domain: host}
	if req.ListTags {
		n, err := ref.ParseNormalized(host + "/" + term)
		if err != nil {
			return nil, fmt.Errorf("parsing reference %q: %w", host+"/"+term, err)
		}
		name = n.Repository()
	}
	client, err := registry.Open(cfg, name, req.Registry)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var found []FoundImage
	if req.ListTags {
		tags, err := client.Tags(ctx)
		if err != nil {
			return nil, fmt.Errorf("getting repository tags: %w", err)
		}
		for _, tag := range tags[:min(len(tags), req.Limit)] {
			found = append(found, FoundImage{Index: host, Name: name.String(), Tag: tag})
		}
		return found, nil
	}
	results, err := client.Search(ctx, term, req.Limit)
	if err != nil {
		return nil, searchError(host, err)
	}
	for _, r := range results {
		found = append(found, FoundImage{Index: host, Name: r.Name, Description: r.Description, Stars: r.Stars, Official: r.Official, Automated: r.Automated})
	}
	return found, nil
}

// searchError names the registry, if the error doesn't begin with that.
func searchError(host string, err error) error {
	what := fmt.Sprintf("couldn't search registry %q: ", host)
	if strings.HasPrefix(err.Error(), what) {
		return err
	}
	return fmt.Errorf("%s%w", what, err)
}

// searchFilter reads stars=N, is-official and is-automated.
func searchFilter(texts []string) (func(*FoundImage) bool, error) {
	stars := 0
	var official, automated *bool
	for _, text := range texts {
		key, value, hasValue := strings.Cut(text, "=")
		on := value != "false"
		switch {
		case key == "stars" && hasValue:
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, errdef.Newf(errdef.ErrInvalid, "incorrect value type for stars filter: %w", err)
			}
			stars = n
		case key == "is-official":
			official = &on
		case key == "is-automated":
			automated = &on
		default:
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid filter type %q", text)
		}
	}
	return func(f *FoundImage) bool {
		return f.Stars >= stars && (official == nil || f.Official == *official) && (automated == nil || f.Automated == *automated)
	}, nil
}
