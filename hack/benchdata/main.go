// Benchdata writes the trees of files that hack/bench builds its image from:
// 217 MB in three directories that gzip brings to two fifths, the same bytes
// every time; or so many small files in directories of a hundred.
//
//	go run hack/benchdata/main.go [-files N] DIR
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const (
	block  = 4096
	random = 1650 // of a block's bytes; the rest repeats
)

func main() {
	files := flag.Int("files", 0, "number of small files to write instead")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: benchdata [-files N] DIR")
		os.Exit(2)
	}
	write := trees
	if *files > 0 {
		write = func(dir string) error { return small(dir, *files) }
	}
	if err := write(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "benchdata:", err)
		os.Exit(1)
	}
}

func trees(dir string) error {
	src := rand.NewChaCha8([32]byte{'b', 'e', 'n', 'c', 'h'})
	for i, bytes := range []int{107_000_000, 70_000_000, 40_000_000} {
		if err := tree(filepath.Join(dir, string(rune('a'+i))), bytes, src); err != nil {
			return err
		}
	}
	return nil
}

// small fills dir with files as sources of programs are: of some lines each.
func small(dir string, files int) error {
	for n := range files {
		sub := filepath.Join(dir, fmt.Sprintf("module%02d", n/1000), fmt.Sprintf("part%d", n/100%10))
		if n%100 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		text := strings.Repeat(fmt.Sprintf("a line of file %d\n", n), 1+n%40)
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("file%02d.txt", n%100)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
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
