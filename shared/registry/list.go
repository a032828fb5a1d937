package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Tags lists the repository's tags in the server's order.
func (c *Client) Tags(ctx context.Context) ([]string, error) {
	var tags []string
	next := c.path("tags/list")
	for range maxPages {
		var page struct {
			Tags []string `json:"tags"`
		}
		var err error
		if next, err = c.page(ctx, next, c.scope("pull"), "tags of "+c.repo.String(), &page); err != nil {
			return nil, err
		}
		tags = append(tags, page.Tags...)
		if next == "" {
			return tags, nil
		}
	}
	return nil, endless("tags of " + c.repo.String())
}

// maxPages ends a listing whose pages never do.
const maxPages = 10000

func endless(what string) error {
	return errdef.Newf(errdef.ErrInvalid, "fetching %s: the listing has more than %d pages", what, maxPages)
}

// Catalog calls yield with each repository of the registry until it returns
// false.
func (c *Client) Catalog(ctx context.Context, yield func(repository string) bool) error {
	next := "/v2/_catalog"
	for range maxPages {
		var page struct {
			Repositories []string `json:"repositories"`
		}
		var err error
		if next, err = c.page(ctx, next, "registry:catalog:*", "catalogue of "+c.host(), &page); err != nil {
			return err
		}
		for _, r := range page.Repositories {
			if !yield(r) {
				return nil
			}
		}
		if next == "" {
			return nil
		}
	}
	return endless("catalogue of " + c.host())
}

// page reads one page of a listing and gives the path of the next.
func (c *Client) page(ctx context.Context, path, scope, what string, into any) (next string, err error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path, scope: scope})
	if err != nil {
		return "", err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return "", wrap(responseError(resp), "fetching %s", what)
	}
	data, err := readLimited(resp, maxListSize)
	if err != nil {
		return "", wrap(err, "fetching %s", what)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return "", garbled(what, err)
	}
	return nextPage(resp), nil
}

// nextPage reads a Link header (RFC 8288) with rel="next"; only the path and
// query are taken, so the listing stays with its registry.
func nextPage(resp *http.Response) string {
	for _, h := range resp.Header.Values("Link") {
		target, params, ok := strings.Cut(h, ">")
		if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(params, "next") {
			continue
		}
		u, err := resp.Request.URL.Parse(target[1:])
		if err != nil || u.RequestURI() == resp.Request.URL.RequestURI() {
			return ""
		}
		return u.RequestURI()
	}
	return ""
}

// SearchResult is one repository that a search found.
type SearchResult struct {
	Name        string // with the registry
	Description string
	Stars       int
	Official    bool
	Automated   bool
}

// Search looks for repositories that match the term. The registry's own search
// (version 1 API) is asked first where it has one; else its catalogue is
// gone through for names that contain the term. limit bounds the results.
func (c *Client) Search(ctx context.Context, term string, limit int) ([]SearchResult, error) {
	if err := c.ping(ctx); err != nil {
		return nil, err
	}
	if found, err := c.searchV1(ctx, term, limit); err == nil {
		return found, nil
	}
	var found []SearchResult
	err := c.Catalog(ctx, func(repository string) bool {
		if strings.Contains(repository, term) {
			found = append(found, SearchResult{Name: c.repo.Domain + "/" + repository})
		}
		return len(found) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("couldn't search registry %q: %w", c.repo.Domain, err)
	}
	return found, nil
}

// searchV1 uses the search of the first registry API, which Docker Hub has.
func (c *Client) searchV1(ctx context.Context, term string, limit int) ([]SearchResult, error) {
	host := c.host()
	if host == "registry-1.docker.io" {
		host = "index.docker.io"
	} else if term == "" {
		return nil, errdef.ErrUnsupported
	}
	q := url.Values{"q": {term}, "n": {fmt.Sprint(limit)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.scheme+"://"+host+"/v1/search?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	resp, err := c.send(req)
	if err != nil {
		return nil, err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, responseError(resp)
	}
	data, err := readLimited(resp, maxListSize)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Results []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			Stars       int    `json:"star_count"`
			Official    bool   `json:"is_official"`
			Automated   bool   `json:"is_automated"`
		} `json:"results"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, garbled("search results", err)
	}
	found := []SearchResult{}
	for _, r := range answer.Results[:min(len(answer.Results), limit)] {
		name := r.Name
		if !strings.Contains(name, "/") && c.repo.Domain == "docker.io" {
			name = "library/" + name
		}
		found = append(found, SearchResult{Name: c.repo.Domain + "/" + name, Description: oneLine(r.Description),
			Stars: r.Stars, Official: r.Official, Automated: r.Automated})
	}
	return found, nil
}
