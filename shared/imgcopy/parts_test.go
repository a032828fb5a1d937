package imgcopy

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
)

// filesTar makes a layer of 24 files that can't be compressed, 75 KB each; those
// that are named differ with the seed.
func filesTar(seed byte, changed ...int) []byte {
	var b bytes.Buffer
	b.Grow(2 << 20)
	tw := tar.NewWriter(&b)
	tw.WriteHeader(&tar.Header{Name: "dir/", Mode: 0o700 + int64(seed), Typeflag: tar.TypeDir})
	for i := range 24 {
		content := make([]byte, 75_000+i)
		key := [32]byte{byte(i)}
		if slices.Contains(changed, i) {
			key[1] = seed
		}
		rand.NewChaCha8(key).Read(content)
		tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("dir/file%d", i), Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg})
		tw.Write(content)
	}
	tw.Close()
	return b.Bytes()
}

// chunkedLayer is a layer in zstd:chunked form.
type chunkedLayer struct {
	tar, blob []byte
	notes     map[string]string
}

// chunked are those that were made: it takes long, and several tests have the same.
var chunked sync.Map

func chunk(t *testing.T, layer []byte) chunkedLayer {
	t.Helper()
	if have, ok := chunked.Load(digest.FromBytes(layer)); ok {
		l := have.(chunkedLayer)
		l.notes = maps.Clone(l.notes)
		return l
	}
	var b bytes.Buffer
	z, notes, err := store.CompressChunked(&b, 1)
	if err == nil {
		_, err = z.Write(layer)
		err = errors.Join(err, z.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	l := chunkedLayer{layer, b.Bytes(), notes}
	chunked.Store(digest.FromBytes(layer), l)
	return chunkedLayer{layer, b.Bytes(), maps.Clone(notes)}
}

// place reads the position that the annotation gives.
func (l chunkedLayer) place(t *testing.T, key string) (at, size int) {
	t.Helper()
	var plain int
	if n, _ := fmt.Sscanf(l.notes[store.ChunkedPrefix+key], "%d:%d:%d", &at, &size, &plain); n != 3 {
		t.Fatalf("annotations %v", l.notes)
	}
	return at, size
}

// codecs are made once: each takes many megabytes.
var codecs = sync.OnceValues(func() (*zstd.Decoder, *zstd.Encoder) {
	dec, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	enc, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	return dec, enc
})

// rewrite gives the layer another table of contents and tar-split, made of those
// it has, in a blob that is right otherwise.
func (l chunkedLayer) rewrite(t *testing.T, toc func(map[string]any), split func(string) string) chunkedLayer {
	t.Helper()
	dec, enc := codecs()
	read := func(key string) []byte {
		at, size := l.place(t, key)
		plain, err := dec.DecodeAll(l.blob[at:at+size], nil)
		if err != nil {
			t.Fatal(err)
		}
		return plain
	}
	var table map[string]any
	if err := json.Unmarshal(read("manifest-position"), &table); err != nil {
		t.Fatal(err)
	}
	newSplit := read("tarsplit-position")
	if split != nil {
		newSplit = []byte(split(string(newSplit)))
	}
	packed := enc.EncodeAll(newSplit, nil)
	table["tarSplitDigest"] = digest.FromBytes(packed).String()
	if toc != nil {
		toc(table)
	}
	plainTOC, _ := json.Marshal(table)
	packedTOC := enc.EncodeAll(plainTOC, nil)

	out := chunkedLayer{tar: l.tar, notes: maps.Clone(l.notes)}
	at, _ := l.place(t, "manifest-position")
	out.blob = slices.Clone(l.blob[:at-8]) // less the skippable frame's head
	add := func(data []byte) (place int) {
		out.blob = append(out.blob, 0x50, 0x2a, 0x4d, 0x18, byte(len(data)), byte(len(data)>>8), byte(len(data)>>16), byte(len(data)>>24))
		out.blob = append(out.blob, data...)
		return len(out.blob) - len(data)
	}
	out.notes[store.ChunkedPrefix+"manifest-position"] = fmt.Sprintf("%d:%d:%d:1", add(packedTOC), len(packedTOC), len(plainTOC))
	out.notes[store.ChunkedPrefix+"manifest-checksum"] = digest.FromBytes(packedTOC).String()
	out.notes[store.ChunkedPrefix+"tarsplit-position"] = fmt.Sprintf("%d:%d:%d", add(packed), len(packed), len(newSplit))
	return out
}

// partsServer has images of one layer each, and counts what it sends of them.
type partsServer struct {
	w     *world
	mu    sync.Mutex
	blobs map[string][]byte
	tags  map[string][]byte
	sent  int64 // bytes of layers
	asked []string
	// answer may take over a request for a layer's parts.
	answer func(rw http.ResponseWriter, r *http.Request, blob []byte) (done bool)
}

func newPartsServer(w *world) *partsServer {
	s := &partsServer{w: w, blobs: map[string][]byte{}, tags: map[string][]byte{}}
	w.answer(s.serve)
	return s
}

// add gives the image with the layer a tag of the repository p/img.
func (s *partsServer) add(tag string, l chunkedLayer) (id string) {
	d := digest.FromBytes(l.blob)
	conf := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","created":"2026-01-02T03:04:05Z","rootfs":{"type":"layers","diff_ids":[%q]}}`, digest.FromBytes(l.tar))
	c := digest.FromBytes(conf)
	m, _ := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(conf)), Digest: v1.Hash{Algorithm: "sha256", Hex: c.Encoded()}},
		Layers: []v1.Descriptor{{MediaType: types.OCILayerZStd, Size: int64(len(l.blob)), Digest: v1.Hash{Algorithm: "sha256", Hex: d.Encoded()}, Annotations: l.notes}},
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[d.String()], s.blobs[c.String()], s.tags[tag] = l.blob, conf, m
	return c.Encoded()
}

func (s *partsServer) serve(rw http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	m, blob := s.tags[name], s.blobs[name]
	large := len(blob) > 1<<20
	if large {
		s.asked = append(s.asked, r.Header.Get("Range"))
	}
	answer := s.answer
	s.mu.Unlock()
	switch {
	case m != nil:
		rw.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		rw.Write(m)
	case large && answer != nil && answer(rw, r, blob):
	case blob != nil:
		if large {
			rw = &counting{rw, s}
		}
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(blob))
	default:
		return false
	}
	return true
}

type counting struct {
	http.ResponseWriter
	s *partsServer
}

func (c *counting) Write(b []byte) (int, error) {
	c.s.mu.Lock()
	c.s.sent += int64(len(b))
	c.s.mu.Unlock()
	return c.ResponseWriter.Write(b)
}

// reset forgets what was asked for and sent.
func (s *partsServer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent, s.asked = 0, nil
}

func (s *partsServer) pull(st *store.Store, tag string) (string, error) {
	return Pull(context.Background(), st, s.w.cfg, s.w.host+"/p/img:"+tag, PullOptions{})
}

func (s *partsServer) mustPull(st *store.Store, tag, want string) {
	s.w.t.Helper()
	s.reset()
	if id, err := s.pull(st, tag); err != nil || id != want {
		s.w.t.Fatalf("pull %s: %s, %v", tag, id, err)
	}
}

// hasTar tells whether the store gives the image's layer back as it was.
func (s *partsServer) hasTar(st *store.Store, id string, want []byte) {
	s.w.t.Helper()
	img, err := st.Image(id)
	if err != nil {
		s.w.t.Fatal(err)
	}
	r, err := st.OpenLayer(img.TopLayer)
	if err != nil {
		s.w.t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
		s.w.t.Errorf("the layer is another: %v", err)
	}
}

// What a second version shares with the first isn't fetched, and the layer is the
// same to the last byte.
func TestPullInParts(t *testing.T) {
	for _, name := range []string{"many ranges", "joined ranges", "one range"} {
		t.Run(name, func(t *testing.T) {
			single := name == "one range"
			w := newWorld(t)
			st, s := w.store(), newPartsServer(w)
			first, second := chunk(t, filesTar(0)), chunk(t, filesTar(1, 7, 8, 20))
			if single {
				s.answer = func(rw http.ResponseWriter, r *http.Request, blob []byte) bool {
					if strings.Contains(r.Header.Get("Range"), ",") {
						r.Header.Del("Range")
					}
					return false
				}
			}
			if name == "joined ranges" {
				// The two ranges at the end, which a few bytes are between, come as one.
				s.answer = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
					var a, b, c, d int
					if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d,%d-%d", &a, &b, &c, &d); n == 4 && c-b < 20 {
						r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", a, d))
					}
					return false
				}
			}
			one, two := s.add("1", first), s.add("2", second)
			s.mustPull(st, "1", one)
			if len(s.asked) != 1 || s.asked[0] != "" {
				t.Errorf("with nothing to reuse, it asked for %q", s.asked)
			}
			s.mustPull(st, "2", two)
			s.hasTar(st, two, second.tar)
			if s.sent > 280_000 && !single || s.sent >= int64(len(second.blob)) && !single {
				t.Errorf("%d bytes of %d were sent for %q", s.sent, len(second.blob), s.asked)
			}
			if n := len(s.asked); !single && n != 2 || single && n != 5 {
				t.Errorf("it asked for %q", s.asked)
			}
			third := chunk(t, filesTar(2))
			three := s.add("3", third)
			s.mustPull(st, "3", three)
			s.hasTar(st, three, third.tar)
			if s.sent > 20_000 && !single {
				t.Errorf("with the same files, %d bytes were sent for %q", s.sent, s.asked)
			}
		})
	}
}

// Another registry must not learn, from what it isn't asked for, what is here.
func TestPartsAreOfOneRegistry(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	first, second := chunk(t, filesTar(0)), chunk(t, filesTar(1, 7))
	one, two := s.add("1", first), s.add("2", second)
	s.mustPull(st, "1", one)
	if _, err := st.RemoveImage(one); err != nil {
		t.Fatal(err)
	}
	w.mustCopy("oci:DIR/first", "docker://REG/p/img:1")
	if _, err := Pull(context.Background(), st, w.cfg, "oci:"+filepath.Join(w.dir, "first"), PullOptions{}); err != nil {
		t.Fatal(err)
	}
	s.mustPull(st, "2", two)
	if len(s.asked) != 1 || s.asked[0] != "" {
		t.Errorf("it asked for %q", s.asked)
	}
}

// A tar-split or table of contents that isn't the layer's costs a whole download,
// and nothing more.
func TestLyingContents(t *testing.T) {
	entries := func(change func(i int, e map[string]any)) func(map[string]any) {
		return func(toc map[string]any) {
			for i, e := range toc["entries"].([]any) {
				change(i, e.(map[string]any))
			}
		}
	}
	set := func(key string, value any) func(map[string]any) {
		return entries(func(i int, e map[string]any) {
			if e["type"] == "reg" {
				e[key] = value
			}
		})
	}
	shift := func(key string, by float64) func(map[string]any) {
		return entries(func(i int, e map[string]any) {
			if n, ok := e[key].(float64); ok {
				e[key] = n + by
			}
		})
	}
	replaced := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	s.mustPull(st, "1", s.add("1", chunk(t, filesTar(0))))
	whole, same, other := chunk(t, filesTar(1, 7)), chunk(t, filesTar(1)), chunk(t, filesTar(2, 9))
	for name, l := range map[string]chunkedLayer{
		"offset":            whole.rewrite(t, shift("offset", 100), nil),
		"offset behind":     whole.rewrite(t, shift("endOffset", 1<<40), nil),
		"negative offset":   whole.rewrite(t, shift("offset", -1<<40), nil),
		"negative size":     whole.rewrite(t, set("size", -5), nil),
		"huge size":         whole.rewrite(t, set("size", int64(1)<<60), nil),
		"end before offset": whole.rewrite(t, set("endOffset", 1), nil),
		"no entries":        whole.rewrite(t, func(m map[string]any) { m["entries"] = []any{} }, nil),
		"entries no list":   whole.rewrite(t, func(m map[string]any) { m["entries"] = "x" }, nil),
		"twice": whole.rewrite(t, func(m map[string]any) {
			m["entries"] = append(m["entries"].([]any), m["entries"].([]any)...)
		}, nil),
		"other tar-split": whole.rewrite(t, func(m map[string]any) { m["tarSplitDigest"] = digest.FromString("x").String() }, nil),
		"no tar-split":    whole.rewrite(t, func(m map[string]any) { delete(m, "tarSplitDigest") }, nil),
		"other tar":       whole.rewrite(t, nil, func(string) string { return splitOf(t, other) }),
		// All files have the right checksums: only the diff ID tells.
		"other mode":   same.rewrite(t, nil, func(string) string { return splitOf(t, chunk(t, filesTar(2))) }),
		"sizes":        whole.rewrite(t, nil, replaced(`"size":7`, `"size":-7`)),
		"huge sizes":   whole.rewrite(t, nil, replaced(`"size":7`, `"size":999999999997`)),
		"two kinds":    whole.rewrite(t, nil, replaced(`{"type":2,"payload":"`, `{"type":2,"payload":"","size":7,"type":1,"payload":"`)),
		"endless line": whole.rewrite(t, nil, func(s string) string { return s + strings.Repeat("x", 5<<20) }),
		"no tar-split data": whole.rewrite(t, nil, func(string) string {
			return ""
		}),
		"large": whole.rewrite(t, func(m map[string]any) { m["x"] = strings.Repeat("x", 40<<20) }, nil),
	} {
		t.Run(name, func(t *testing.T) {
			s.w.t = t
			id := s.add("2", l)
			s.mustPull(st, "2", id)
			if i := slices.Index(s.asked, ""); i < 1 {
				t.Errorf("it asked for %q, not in parts first and whole then", s.asked)
			}
			s.hasTar(st, id, l.tar)
			if _, err := st.RemoveImage(id); err != nil {
				t.Error(err)
			}
			leftOvers(t, w, 1)
		})
	}
	s.w.t = t
}

func splitOf(t *testing.T, l chunkedLayer) string {
	dec, _ := codecs()
	at, size := l.place(t, "tarsplit-position")
	plain, err := dec.DecodeAll(l.blob[at:at+size], nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// leftOvers says what the store has besides the layers.
func leftOvers(t *testing.T, w *world, layers int) {
	t.Helper()
	for pattern, want := range map[string]int{
		"overlay/staging/*": 0, "partial-blobs/*": 0, "overlay-layers/*.tar-split.gz": layers, "overlay/l/*": layers, "overlay-layers/spool-*": 0,
	} {
		if found, _ := filepath.Glob(filepath.Join(w.dir, "graph", pattern)); len(found) != want {
			t.Errorf("%s: %q", pattern, found)
		}
	}
}

// Annotations that can't be are not even asked for.
func TestLyingAnnotations(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	s.mustPull(st, "1", s.add("1", chunk(t, filesTar(0))))
	for key, value := range map[string]string{
		"manifest-position": "100:1073741824:1073741824:1",
		"tarsplit-position": "9223372036854775807:9223372036854775807:1",
		"manifest-checksum": "sha256:../../x",
	} {
		l := chunk(t, filesTar(1, 7))
		l.notes[store.ChunkedPrefix+key] = value
		id := s.add("2", l)
		s.mustPull(st, "2", id)
		if len(s.asked) != 1 || s.asked[0] != "" {
			t.Errorf("%s: it asked for %q", key, s.asked)
		}
		if _, err := st.RemoveImage(id); err != nil {
			t.Error(err)
		}
	}
}

// A server that doesn't know its ranges is asked for the whole blob.
func TestServersThatCantSendParts(t *testing.T) {
	part := func(rw http.ResponseWriter, contentRange string, data []byte) {
		rw.Header().Set("Content-Range", contentRange)
		rw.WriteHeader(http.StatusPartialContent)
		rw.Write(data)
	}
	first, l := chunk(t, filesTar(0)), chunk(t, filesTar(1, 7))
	for name, answer := range map[string]func(rw http.ResponseWriter, r *http.Request, blob []byte){
		"whole":       func(rw http.ResponseWriter, r *http.Request, blob []byte) { rw.Write(blob) },
		"no range":    func(rw http.ResponseWriter, r *http.Request, blob []byte) { rw.WriteHeader(416) },
		"bad request": func(rw http.ResponseWriter, r *http.Request, blob []byte) { rw.WriteHeader(400) },
		"in trouble":  func(rw http.ResponseWriter, r *http.Request, blob []byte) { rw.WriteHeader(500) },
		"no place":    func(rw http.ResponseWriter, r *http.Request, blob []byte) { part(rw, "", blob) },
		"other place": func(rw http.ResponseWriter, r *http.Request, blob []byte) { part(rw, "bytes 0-99/100", blob) },
		"all of it": func(rw http.ResponseWriter, r *http.Request, blob []byte) {
			part(rw, fmt.Sprintf("bytes 0-%d/%d", len(blob)-1, len(blob)), blob)
		},
		"nothing": func(rw http.ResponseWriter, r *http.Request, blob []byte) {
			from, to := firstRange(r)
			part(rw, fmt.Sprintf("bytes %d-%d/%d", from, to, len(blob)), nil)
		},
		"other bytes": func(rw http.ResponseWriter, r *http.Request, blob []byte) {
			from, to := firstRange(r)
			part(rw, fmt.Sprintf("bytes %d-%d/%d", from, to, len(blob)), make([]byte, to-from+1))
		},
		"no boundary": func(rw http.ResponseWriter, r *http.Request, blob []byte) {
			rw.Header().Set("Content-Type", "multipart/byteranges")
			part(rw, "", blob)
		},
		"empty frames": func(rw http.ResponseWriter, r *http.Request, blob []byte) {
			rw.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
			part(rw, "", []byte("--x\r\n\r\n--x--"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			st, s := w.store(), newPartsServer(w)
			s.mustPull(st, "1", s.add("1", first))
			s.answer = func(rw http.ResponseWriter, r *http.Request, blob []byte) bool {
				if r.Header.Get("Range") == "" {
					return false
				}
				answer(rw, r, blob)
				return true
			}
			id := s.add("2", l)
			s.mustPull(st, "2", id)
			if s.asked[0] == "" || s.asked[len(s.asked)-1] != "" {
				t.Errorf("it asked for %q", s.asked)
			}
			s.hasTar(st, id, l.tar)
			leftOvers(t, w, 2)
		})
	}
}

// firstRange is the first that is asked for.
func firstRange(r *http.Request) (from, to int) {
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	return from, to
}

// The connection breaks in the middle of the parts: what came is kept, in this
// attempt and for the next pull.
func TestPartsAreResumed(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	s.mustPull(st, "1", s.add("1", chunk(t, filesTar(0))))
	var changed []int
	for i := 4; i < 20; i++ {
		changed = append(changed, i)
	}
	l := chunk(t, filesTar(1, changed...))
	id := s.add("2", l)
	ctx, cancel := context.WithCancel(context.Background())
	s.answer = func(rw http.ResponseWriter, r *http.Request, blob []byte) bool {
		if from, to := firstRange(r); to-from > 600_000 {
			rw.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(blob)))
			rw.WriteHeader(http.StatusPartialContent)
			rw.Write(blob[from : from+600_000])
			rw.(http.Flusher).Flush()
			for range 1000 {
				kept, _ := filepath.Glob(filepath.Join(w.dir, "graph/partial-blobs/*"))
				if slices.ContainsFunc(kept, func(path string) bool { fi, err := os.Stat(path); return err == nil && fi.Size() >= 600_000 }) {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	if _, err := Pull(ctx, st, w.cfg, w.host+"/p/img:2", PullOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.answer = nil
	s.mu.Unlock()
	s.mustPull(st, "2", id)
	s.hasTar(st, id, l.tar)
	if s.sent > 700_000 || slices.Contains(s.asked, "") {
		t.Errorf("%d bytes of %d were sent for %q", s.sent, len(l.blob), s.asked)
	}
	leftOvers(t, w, 2)
}

// A server that answers requests for parts with nothing, or not to the end, is asked
// for the whole blob soon, and not before once more for the parts.
func TestServersThatStallOnParts(t *testing.T) {
	first, l := chunk(t, filesTar(0)), chunk(t, filesTar(1, 7))
	for name, sends := range map[string]int{"no answer": -1, "no byte": 0, "some": 200} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			st, s := w.store(), newPartsServer(w)
			s.mustPull(st, "1", s.add("1", first))
			s.answer = func(rw http.ResponseWriter, r *http.Request, blob []byte) bool {
				from, to := firstRange(r)
				if r.Header.Get("Range") == "" {
					return false
				}
				if sends >= 0 {
					rw.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(blob)))
					rw.WriteHeader(http.StatusPartialContent)
					rw.Write(blob[from : from+sends])
					rw.(http.Flusher).Flush()
				}
				<-r.Context().Done()
				return true
			}
			id := s.add("2", l)
			s.reset()
			got, err := Pull(context.Background(), st, w.cfg, w.host+"/p/img:2", PullOptions{Registry: registry.Options{PartsStall: 50 * time.Millisecond}})
			if err != nil || got != id {
				t.Fatalf("%s, %v", got, err)
			}
			if len(s.asked) != 2 || s.asked[1] != "" {
				t.Errorf("it asked for %q", s.asked)
			}
			s.hasTar(st, id, l.tar)
			leftOvers(t, w, 2)
		})
	}
}

// What is not compared with the blob is not noted as what comes out of it: another
// image with the layer would be pushed with a blob that may be anything.
func TestPartsTellNothingOfTheBlob(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	first, second := chunk(t, filesTar(0)), chunk(t, filesTar(1, 7))
	s.mustPull(st, "1", s.add("1", first))
	s.mustPull(st, "2", s.add("2", second))
	if slices.Contains(s.asked, "") {
		t.Fatalf("it asked for %q", s.asked)
	}
	for l, want := range map[*chunkedLayer]bool{&first: true, &second: false} {
		if k, found := openCache(w.cfg).find(digest.FromBytes(l.tar), "zstd"); found != want {
			t.Errorf("%v is noted: %v", k, found)
		}
	}
}

// A mirror learns only of the images that it is a mirror of.
func TestPartsOfAMirror(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	s.add("1", chunk(t, filesTar(0)))
	s.add("2", chunk(t, filesTar(1, 7)))
	s.add("3", chunk(t, filesTar(2, 7)))
	for _, step := range []struct {
		name  string
		whole bool
	}{{"q/img:1", true}, {"p/img:2", true}, {"p/img:3", false}} {
		s.reset()
		if _, err := Pull(context.Background(), st, w.cfg, "mirrored.test/"+step.name, PullOptions{}); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(s.asked, "") != step.whole {
			t.Errorf("%s: it asked for %q", step.name, s.asked)
		}
	}
}

// A file that the disk lost is fetched, with all others.
func TestDamagedFileIsNotReused(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	s.mustPull(st, "1", s.add("1", chunk(t, filesTar(0))))
	found, _ := filepath.Glob(filepath.Join(w.dir, "graph/overlay/*/diff/dir/file3"))
	if len(found) != 1 || os.WriteFile(found[0], make([]byte, 75_003), 0o644) != nil {
		t.Fatal(found)
	}
	l := chunk(t, filesTar(1, 7))
	id := s.add("2", l)
	s.mustPull(st, "2", id)
	s.hasTar(st, id, l.tar)
}

// What can't be is refused by name, and what is turned off isn't done.
func TestPullOptions(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	s.mustPull(st, "1", s.add("1", chunk(t, filesTar(0))))
	w.cfg.Storage.Pull.InParts = false
	id := s.add("2", chunk(t, filesTar(1, 7)))
	s.mustPull(st, "2", id)
	if len(s.asked) != 1 || s.asked[0] != "" {
		t.Errorf("it asked for %q", s.asked)
	}
	conf := filepath.Join(w.dir, "storage.conf")
	for _, option := range []string{"use_hard_links = \"true\"", "ostree_repos = \"/ostree\"", "convert_images = \"true\"", "insecure_allow_unpredictable_image_contents = \"true\""} {
		if err := os.WriteFile(conf, []byte("[storage.options]\npull_options = {"+option+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Options{Prefix: w.dir, Getenv: func(name string) string {
			return map[string]string{"CONTAINERS_STORAGE_CONF": conf, "HOME": w.dir, "XDG_RUNTIME_DIR": w.dir}[name]
		}})
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(option, " ")
		w.cfg.Storage.Pull = c.Storage.Pull
		if _, err := s.pull(st, "2"); !errors.Is(err, errdef.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", option, err)
		}
	}
}

// The bar counts what comes.
func TestProgressOfParts(t *testing.T) {
	w := newWorld(t)
	st, s := w.store(), newPartsServer(w)
	s.mustPull(st, "1", s.add("1", chunk(t, filesTar(0))))
	s.add("2", chunk(t, filesTar(1, 7)))
	p := &counter{}
	if _, err := Pull(context.Background(), st, w.cfg, w.host+"/p/img:2", PullOptions{Progress: p}); err != nil {
		t.Fatal(err)
	}
	if p.n < 75_000 || p.n > 110_000 {
		t.Errorf("%d bytes", p.n)
	}
}

type counter struct{ n int64 }

func (c *counter) Start(kind, id string, total int64) cliout.Bar { return c }
func (c *counter) Say(string)                                    {}
func (c *counter) Done()                                         {}
func (c *counter) Add(n int64)                                   { c.n += n }
func (c *counter) Finish(error)                                  {}
