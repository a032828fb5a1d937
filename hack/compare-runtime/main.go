// compare-runtime runs a container of the same options with our podman and with
// the reference's, has a probe look at everything from within, and compares what
// it saw field by field: namespaces, mounts with their options, capabilities,
// limits, system calls, control groups, devices, environment and files.
//
//	go run hack/compare-runtime/*.go -bin BIN -base TAR [-peers DIR] [-keep DIR] [WORD…]
//
// WORDs choose the cases of cases.txt whose names contain one of them. PEERS is
// the directory of the scripts that run the reference tools; it needs root.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	bin := flag.String("bin", "bin", "directory of our programs")
	peers := flag.String("peers", "../shared/peers", "directory of the scripts of the reference tools")
	base := flag.String("base", "", "root file system of the base image, a tar file")
	dir := flag.String("cases", "hack/compare-runtime", "directory of the cases and the probe")
	keep := flag.String("keep", "", "directory to keep in what the probe said")
	flag.Parse()
	failed, err := compare(*bin, *peers, *base, *dir, *keep, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare-runtime:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

// compare goes the whole way and gives the number of cases that differ.
func compare(bin, peers, base, dir, keep string, words []string) (int, error) {
	cases, err := readCases(dir + "/cases.txt")
	if err != nil {
		return 0, err
	}
	ours, theirs, err := newSides(bin, peers, base, dir)
	if err != nil {
		return 0, err
	}
	defer ours.close()
	defer theirs.close()
	failed, done := 0, 0
	for _, c := range cases {
		if !chosen(c.name, words) {
			continue
		}
		var mine seen
		probed := make(chan struct{})
		go func() { mine = ours.probe(&c); close(probed) }()
		other := theirs.probe(&c)
		<-probed
		if keep != "" {
			if err := keepOutput(keep+"/"+c.name, mine, other); err != nil {
				return failed, err
			}
		}
		done++
		lines := c.judge(mine, other)
		if len(lines) == 0 {
			fmt.Printf("same     %s\n", c.name)
			continue
		}
		failed++
		fmt.Printf("DIFFERS  %s: %s\n    %s\n", c.name, c.options, strings.Join(lines, "\n    "))
	}
	fmt.Printf("%d cases, %d differ\n", done, failed)
	return failed, nil
}

func chosen(name string, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// keepOutput writes what each side said to FILE.ours and FILE.reference.
func keepOutput(file string, ours, theirs seen) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(file+".ours", []byte(ours.String()), 0o644), os.WriteFile(file+".reference", []byte(theirs.String()), 0o644))
}
