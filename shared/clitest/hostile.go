package clitest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdHostile: hostile start
func cmdHostile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1 && args[0] == "start", "hostile start")
	l, err := net.Listen("tcp4", ts.Getenv("HOSTILE"))
	ts.Check(err)
	h := newHostile(filepath.Join(ts.Getenv("WORK"), "hostile.log"), ts.Getenv("HOSTILE"))
	server := &http.Server{ReadHeaderTimeout: patience, Handler: h}
	go server.Serve(l) //nolint:errcheck // ends with Close
	ts.Defer(func() { server.Close() })
}

// hostile is a registry whose repositories are each bad in a way of its own:
// their names say how.
type hostile struct {
	address string
	blobs   map[string][]byte // by digest
	images  map[string][]byte // manifests, by repository

	mu  sync.Mutex
	log string // path: a line for each answer with content
}

const (
	hostileManifest = "application/vnd.oci.image.manifest.v1+json"
	hostileLayer    = "application/vnd.oci.image.layer.v1.tar"
	// slowSize is the size of the layer that comes in parts.
	slowSize = 4 << 20
	// bombSize is what the bombs' few bytes become.
	bombSize = 1 << 30
	// lieSize is how many bytes of a layer are held back or made up.
	lieSize = 1000
)

func newHostile(log, address string) *hostile {
	h := &hostile{address: address, log: log, blobs: map[string][]byte{}, images: map[string][]byte{}}
	small := tarOf(map[string]string{"file": "content"}, "file")
	random := make([]byte, slowSize)
	r := rand.NewChaCha8([32]byte{})
	r.Read(random) //nolint:errcheck // it never fails
	slow := tarOf(map[string]string{"random": string(random)}, "random")
	h.image("slow", hostileLayer, slow, digestOf(slow))
	for _, repo := range []string{"short", "long", "loop", "elsewhere", "hugemanifest"} {
		h.image(repo, hostileLayer, small, digestOf(small))
	}
	both := tarOf(map[string]string{"Name": "upper", "name": "lower", "NAME": "loud"}, "Name", "name", "NAME")
	h.image("cases", hostileLayer, both, digestOf(both))
	var head bytes.Buffer
	w := tar.NewWriter(&head)
	w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: bombSize, Typeflag: tar.TypeReg}) //nolint:errcheck // a buffer
	for name, start := range map[string][]byte{"zeros": nil, "zerofile": head.Bytes()} {
		z, diffID := zeroBomb(start)
		h.image(name, hostileLayer+"+gzip", z, diffID)
	}
	h.manyLayers(small)
	return h
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func tarOf(files map[string]string, order ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range order {
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}) //nolint:errcheck // a buffer
		io.WriteString(w, files[name])                                                                            //nolint:errcheck // a buffer
	}
	w.Close() //nolint:errcheck // a buffer
	return b.Bytes()
}

// zeroBomb gives start and so many zeros compressed, and the digest of that. A
// compressed piece that refers to nothing before it can be repeated.
func zeroBomb(start []byte) (z []byte, diffID string) {
	const piece = 8 << 20
	zeros := make([]byte, piece)
	deflated := func(b []byte) []byte {
		var out bytes.Buffer
		w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
		w.Write(b) //nolint:errcheck // a buffer
		w.Flush()  //nolint:errcheck // a buffer
		return out.Bytes()[10:]
	}
	var out bytes.Buffer
	out.WriteString("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
	out.Write(deflated(start))
	one := deflated(zeros)
	sum, hash := crc32.ChecksumIEEE(start), sha256.New()
	hash.Write(start)
	for range bombSize / piece {
		out.Write(one)
		sum = crc32.Update(sum, crc32.IEEETable, zeros)
		hash.Write(zeros)
	}
	sum = crc32.Update(sum, crc32.IEEETable, zeros[:1024])
	hash.Write(zeros[:1024])
	out.Write(deflated(zeros[:1024]))
	out.Write([]byte{3, 0}) // an empty last block
	tail := binary.LittleEndian.AppendUint32(nil, sum)
	out.Write(binary.LittleEndian.AppendUint32(tail, uint32(len(start)+bombSize+1024)))
	return out.Bytes(), fmt.Sprintf("sha256:%x", hash.Sum(nil))
}

func (h *hostile) add(b []byte) map[string]any {
	d := digestOf(b)
	h.blobs[d] = b
	return map[string]any{"digest": d, "size": len(b)}
}

func (h *hostile) image(repo, mediaType string, layer []byte, diffIDs ...string) {
	l := h.add(layer)
	l["mediaType"] = mediaType
	layers := make([]any, len(diffIDs))
	for i := range layers {
		layers[i] = l
	}
	conf, _ := json.Marshal(map[string]any{
		"os": "linux", "architecture": runtime.GOARCH, "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	c := h.add(conf)
	c["mediaType"] = "application/vnd.oci.image.config.v1+json"
	m, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": hostileManifest, "config": c, "layers": layers})
	h.images[repo] = m
}

func (h *hostile) manyLayers(layer []byte) {
	ids := make([]string, 10000)
	for i := range ids {
		ids[i] = digestOf(layer)
	}
	h.image("manylayers", hostileLayer, layer, ids...)
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	_, _, known := r.BasicAuth()
	switch {
	case !known && !strings.HasPrefix(r.Host, "localhost"):
		w.Header().Set("WWW-Authenticate", `Basic realm="hostile"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	case path == "":
		return
	}
	repo, what, _ := strings.Cut(path, "/")
	kind, id, _ := strings.Cut(what, "/")
	switch {
	case kind == "manifests" && h.images[repo] != nil:
		w.Header().Set("Content-Type", hostileManifest)
		w.Header().Set("Docker-Content-Digest", digestOf(h.images[repo]))
		w.Write(h.images[repo]) //nolint:errcheck // the client may go
		if repo == "hugemanifest" {
			h.send(w, r, bytes.Repeat([]byte{' '}, 100<<20))
		}
	case kind == "blobs" && h.blobs[id] != nil && r.Method == http.MethodGet:
		h.blob(w, r, repo, h.blobs[id])
	default:
		http.NotFound(w, r)
	}
}

// blob sends a blob in the repository's way. Configurations come as they are.
func (h *hostile) blob(w http.ResponseWriter, r *http.Request, repo string, b []byte) {
	if b[0] == '{' {
		h.send(w, r, b)
		return
	}
	switch repo {
	case "loop":
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	case "elsewhere":
		if !strings.HasPrefix(r.Host, "localhost") {
			_, port, _ := net.SplitHostPort(h.address)
			http.Redirect(w, r, "http://localhost:"+port+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		h.send(w, r, b)
	case "short": // less than is announced
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		h.send(w, r, b[:len(b)-lieSize])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "long": // more than the manifest says
		h.send(w, r, append(bytes.Clone(b), make([]byte, lieSize)...))
	case "slow": // half of it, and then nothing until somebody wants the rest
		from := 0
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 && from < len(b) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b)-1, len(b)))
			w.WriteHeader(http.StatusPartialContent)
			h.send(w, r, b[from:])
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		h.send(w, r, b[:len(b)/2])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		h.send(w, r, b)
	}
}

// send sends and logs: host, path, credentials or "-", range or "-", bytes.
func (h *hostile) send(w http.ResponseWriter, r *http.Request, b []byte) {
	n, _ := w.Write(b)
	h.mu.Lock()
	defer h.mu.Unlock()
	f, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return strings.ReplaceAll(s, " ", "_")
	}
	fmt.Fprintln(f, r.Host, r.URL.Path, dash(r.Header.Get("Authorization")), dash(r.Header.Get("Range")), n) //nolint:errcheck // the script sees what is missing
}
