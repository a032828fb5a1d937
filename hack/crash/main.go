// crash kills commands before a write, rename, fsync, mount or another change,
// and looks whether the next commands put right what that left behind.
//
//	go run ./hack/crash [-points N] [-seed S] [-scenario NAME [-at K [-all]]] BIN
//
// BIN is the directory of the programs. Without -points every change of every
// scenario has its turn. It runs in mount and network namespaces of its own and
// needs root.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	points := flag.Int("points", 0, "kill points of each scenario, 0 for all")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "which points, and how much is killed")
	only := flag.String("scenario", "", "this scenario alone")
	at := flag.Int("at", 0, "this point alone")
	all := flag.Bool("all", false, "with -at: kill the whole tree")
	registry := flag.String("registry", "", "program of a registry, for pull and push")
	inside := flag.Bool("inside", false, "the namespaces are made already")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if !*inside {
		self, _ := os.Executable()
		args := []string{"--mount", "--net", "--propagation", "private", self, "-inside", "-seed", fmt.Sprint(*seed)}
		cmd := exec.Command("unshare", append(args, os.Args[1:]...)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			os.Exit(1)
		}
		return
	}
	runtime.LockOSThread() // who traces must stay the same thread
	h, err := newHost(flag.Arg(0), *registry)
	if err == nil {
		defer h.close()
		c := campaign{host: h, points: *points, rand: rand.New(rand.NewPCG(*seed, 0)), reported: map[string]bool{}}
		fmt.Println("seed", *seed)
		err = c.run(*only, *at, *all)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		if h != nil {
			h.close()
		}
		os.Exit(1)
	}
}

// campaign is one round of the scenarios.
type campaign struct {
	host     *host
	points   int
	rand     *rand.Rand
	reported map[string]bool // differences from the unharmed host
	killed   int
	failed   int
}

func (c *campaign) run(only string, at int, all bool) error {
	chosen := slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool {
		return only != "" && s.name != only || s.remote && c.host.registry == nil
	})
	if len(chosen) == 0 {
		return fmt.Errorf("no scenario %q", only)
	}
	lengths := make([]int, len(chosen))
	for i, s := range chosen { // unharmed, for what a host looks like that has seen it all
		o, err := c.host.attempt(s, killing{})
		if err != nil {
			return err
		}
		if o.Status != 0 {
			return fmt.Errorf("%s, unharmed, ended with %d: %s", s.name, o.Status, o.Output)
		}
		if err := c.host.clean(); err != nil {
			return fmt.Errorf("%s, unharmed: %w", s.name, err)
		}
		lengths[i] = o.Changes
	}
	if err := c.host.check(); err != nil {
		return fmt.Errorf("the unharmed host: %w", err)
	}
	if err := c.host.clean(); err != nil {
		return err
	}
	before, err := c.host.look()
	if err != nil {
		return err
	}
	start := time.Now()
	for i, s := range chosen {
		killedBefore, failedBefore := c.killed, c.failed
		order := c.rand.Perm(lengths[i])
		if c.points > 0 {
			order = order[:min(c.points, len(order))]
		}
		if at > 0 {
			order = []int{at - 1}
		}
		for _, n := range order {
			k := killing{At: n + 1, All: c.rand.IntN(2) == 0}
			if at > 0 {
				k.All = all
			}
			if err := c.one(s, k, &before); err != nil {
				return err
			}
		}
		fmt.Printf("%-16s %4d changes %5d kills %3d failures\n", s.name, lengths[i], c.killed-killedBefore, c.failed-failedBefore)
	}
	fmt.Printf("%d kills, %d failures, %s\n", c.killed, c.failed, time.Since(start).Round(time.Second))
	if c.failed > 0 {
		return fmt.Errorf("%d of %d kills left something behind", c.failed, c.killed)
	}
	return nil
}

// one kills once and looks at what is left, compared with before. What went
// wrong is printed; an error says that the host is beyond further use.
func (c *campaign) one(s scenario, k killing, before *view) error {
	o, err := c.host.attempt(s, k)
	if err != nil {
		return err
	}
	if o.Killed != "" {
		c.killed++
	}
	var wrong []string
	broken := false // not merely untidy
	if o.Status == 0 && s.promise != "" {
		if out, err := c.host.sh(s.promise); err != nil {
			wrong = append(wrong, "the command ended well, but: "+out)
		}
	}
	if err := c.host.check(); err != nil {
		wrong, broken = append(wrong, err.Error()), true
	}
	if err := c.host.clean(); err != nil {
		wrong, broken = append(wrong, err.Error()), true
	}
	after, err := c.host.look()
	if err != nil {
		return err
	}
	for _, d := range before.differences(after) {
		if !c.reported[d] { // what is left over stays so in later rounds
			wrong = append(wrong, d)
		}
		c.reported[d] = true
	}
	if len(wrong) == 0 {
		return nil
	}
	c.failed++
	what := ""
	if k.All {
		what = " -all"
	}
	fmt.Printf("FAIL -scenario %s -at %d%s (before %s)\n", s.name, k.At, what, o.Killed)
	for _, w := range wrong {
		fmt.Println("     " + strings.ReplaceAll(w, "\n", "\n     "))
	}
	if !broken {
		before.bytes = max(before.bytes, after.bytes)
		return nil
	}
	clear(c.reported)
	if err := c.host.renew(); err != nil {
		return err
	}
	*before, err = c.host.look()
	return err
}
