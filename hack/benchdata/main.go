// Benchdata writes the trees of files that hack/bench builds its image from:
// 217 MB in three directories that gzip brings to two fifths, the same bytes
// every time.
//
//	go run hack/benchdata/main.go DIR
package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	block  = 4096
	random = 1650 // of a block's bytes; the rest repeats
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: benchdata DIR")
		os.Exit(2)
	}
	src := rand.NewChaCha8([32]byte{'b', 'e', 'n', 'c', 'h'})
	for i, bytes := range []int{107_000_000, 70_000_000, 40_000_000} {
		if err := tree(filepath.Join(os.Args[1], string(rune('a'+i))), bytes, src); err != nil {
			fmt.Fprintln(os.Stderr, "benchdata:", err)
			os.Exit(1)
		}
	}
}

// tree fills dir with files of sizes as programs have them: many small, few
// large.
func tree(dir string, bytes int, src *rand.ChaCha8) error {
	rng := rand.New(src)
	for n := 0; bytes > 0; n++ {
		size := min(bytes, block<<min(rng.IntN(11), rng.IntN(11)))
		sub := filepath.Join(dir, fmt.Sprintf("lib%02d", n%17), fmt.Sprintf("part%d", n%5))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
		if err := file(filepath.Join(sub, fmt.Sprintf("file%04d.dat", n)), size, src); err != nil {
			return err
		}
		bytes -= size
	}
	return nil
}

func file(path string, size int, src *rand.ChaCha8) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	buf := make([]byte, block)
	for i := random; i < block; i++ {
		buf[i] = "the quick brown fox jumps over the lazy dog\n"[i%44]
	}
	for ; size > 0; size -= block {
		if _, err := src.Read(buf[:random]); err != nil {
			return err
		}
		if _, err := w.Write(buf[:min(size, block)]); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
