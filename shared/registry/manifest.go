package registry

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Manifest is a document that describes an image or a list of images.
type Manifest struct {
	Bytes     []byte
	MediaType types.MediaType
	Digest    digest.Digest // of Bytes
}

// accepted are the media types of manifests that are asked for.
func accepted() []string {
	return []string{
		string(types.OCIManifestSchema1), string(types.OCIImageIndex),
		string(types.DockerManifestSchema2), string(types.DockerManifestList),
	}
}

func (c *Client) path(format string, args ...any) string {
	return "/v2/" + c.repo.Path + "/" + fmt.Sprintf(format, args...)
}

func (c *Client) scope(actions string) string {
	return "repository:" + c.repo.Path + ":" + actions
}

// Manifest fetches the manifest with the tag or digest and verifies a digest.
func (c *Client) Manifest(ctx context.Context, id string) (Manifest, error) {
	m, err := c.manifest(ctx, id)
	if err != nil && !strings.Contains(err.Error(), "pinging container registry") {
		err = wrap(err, "reading manifest %s in %s", id, c.repo)
	}
	return m, err
}

func (c *Client) manifest(ctx context.Context, id string) (Manifest, error) {
	resp, err := c.do(ctx, request{
		method: http.MethodGet, path: c.path("manifests/%s", id), scope: c.scope("pull"),
		header: http.Header{"Accept": {strings.Join(accepted(), ", ")}},
	})
	if err != nil {
		return Manifest{}, err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return Manifest{}, responseError(resp)
	}
	data, err := readLimited(resp, MaxManifestSize)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Bytes: data, MediaType: contentType(resp), Digest: digest.FromBytes(data)}
	if want, err := digest.Parse(id); err == nil {
		m.Digest = want
		if want.Algorithm().FromBytes(data) != want {
			return m, errdef.Newf(errdef.ErrInvalid, "the server's manifest does not have the digest that was asked for")
		}
	}
	return m, nil
}

// HeadManifest tells the digest and type of a tag's manifest without its
// Bytes. A server that does not say is asked for the manifest.
func (c *Client) HeadManifest(ctx context.Context, id string) (Manifest, error) {
	m, err := c.head(ctx, id, "pull")
	if err != nil || m.Digest != "" {
		return m, err
	}
	return c.Manifest(ctx, id)
}

// ManifestDigest is the digest that the server gives for a tag that is going
// to be written, "" if there is none or it does not say.
func (c *Client) ManifestDigest(ctx context.Context, id string) (digest.Digest, error) {
	m, err := c.head(ctx, id, "pull,push")
	return m.Digest, err
}

func (c *Client) head(ctx context.Context, id, actions string) (Manifest, error) {
	resp, err := c.do(ctx, request{
		method: http.MethodHead, path: c.path("manifests/%s", id), scope: c.scope(actions),
		header: http.Header{"Accept": {strings.Join(accepted(), ", ")}},
	})
	if err != nil {
		return Manifest{}, err
	}
	defer drain(resp)
	if resp.StatusCode == http.StatusOK {
		if d, err := digest.Parse(resp.Header.Get("Docker-Content-Digest")); err == nil {
			return Manifest{MediaType: contentType(resp), Digest: d}, nil
		}
	}
	return Manifest{}, nil
}

// contentType is the media type that the server gives, without parameters.
func contentType(resp *http.Response) types.MediaType {
	t, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return types.MediaType(strings.TrimSpace(t))
}

// PutManifest uploads a manifest under a tag or its digest.
func (c *Client) PutManifest(ctx context.Context, id string, m Manifest) error {
	resp, err := c.do(ctx, request{
		method: http.MethodPut, path: c.path("manifests/%s", id), scope: c.scope("pull,push"),
		header: http.Header{"Content-Type": {string(m.MediaType)}},
		body:   bytes.NewReader(m.Bytes), length: int64(len(m.Bytes)),
	})
	if err == nil {
		defer drain(resp)
		if resp.StatusCode == http.StatusCreated || resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted {
			return nil
		}
		err = responseError(resp)
	}
	return wrap(err, "uploading manifest %s to %s", id, c.repo)
}

// DeleteManifest deletes the manifest that id names, and so every tag of it.
func (c *Client) DeleteManifest(ctx context.Context, id string) error {
	m, err := c.HeadManifest(ctx, id)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, request{method: http.MethodDelete, path: c.path("manifests/%s", m.Digest), scope: c.scope("*")})
	if err != nil {
		return err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusAccepted, http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusMethodNotAllowed:
		return errdef.Newf(errdef.ErrUnsupported, "deleting %s in %s: the registry does not allow deleting", id, c.repo)
	}
	return wrap(responseError(resp), "deleting %s in %s", id, c.repo)
}
