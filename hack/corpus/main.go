// corpus builds every Containerfile of buildah/corpus with our builder and with
// docker's BuildKit, and compares what comes of them: files with their modes,
// owners, links and attributes, and the images' configurations. What both must
// refuse is a case, too.
//
//	go run hack/corpus/*.go -bin BIN [-peers DIR] [-base TAR] [-keep] [WORD…]
//
// WORDs choose the cases whose names contain one of them. PEERS is the
// directory of the scripts that run the reference tools; it needs root. Docker's
// daemon is one of its own, which goes with what it stored.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

func main() {
	bin := flag.String("bin", "bin", "directory of our programs")
	peers := flag.String("peers", "../shared/peers", "directory of the scripts of the reference tools")
	base := flag.String("base", "", "root file system of the base image, a tar file")
	cases := flag.String("cases", "buildah/corpus", "directory of the cases")
	keep := flag.Bool("keep", false, "keep contexts and archives, and say where")
	jobs := flag.Int("jobs", 4, "builds at once")
	flag.Parse()
	failed, err := compare(*bin, *peers, *base, *cases, *keep, *jobs, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

// compare goes the whole way and gives the number of cases that differ.
func compare(bin, peers, base, dir string, keep bool, jobs int, words []string) (int, error) {
	all, err := readCases(dir, words)
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := newSides(bin, peers, base)
	if err != nil {
		return 0, err
	}
	defer s.close(keep)
	var wait sync.WaitGroup
	var printing sync.Mutex
	failed := 0
	slots := make(chan struct{}, jobs)
	for i := range all {
		c := &all[i]
		if slots <- struct{}{}; ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-slots }()
			lines := c.judge(&result{ours: s.build(c, true), docker: s.build(c, false)})
			if len(lines) == 0 || ctx.Err() != nil {
				return
			}
			printing.Lock()
			defer printing.Unlock()
			failed++
			fmt.Printf("%s: %s\n    %s\n", c.name, c.about, strings.Join(lines, "\n    "))
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return failed, errors.New("interrupted")
	}
	if keep {
		fmt.Println("kept:", s.dir, s.far)
	}
	fmt.Printf("%d cases, %d differ\n", len(all), failed)
	return failed, nil
}

func readCases(dir string, words []string) ([]testCase, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no cases in %s: %v", dir, err)
	}
	var all []testCase
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		chosen := len(words) == 0
		for _, word := range words {
			chosen = chosen || strings.Contains(name, word)
		}
		if !chosen {
			continue
		}
		c, err := readCase(name, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no case's name contains any of %q", words)
	}
	return all, nil
}
