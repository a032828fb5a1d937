// crash kills commands before a write, rename, fsync, mount or another change, or
// has that fail, or the machine lose its power, and looks whether the next commands
// put right what that left behind.
//
//	go run ./hack/crash [-points N] [-some N] [-seed S] [-faults LIST] [-scenario NAME [-at K]] BIN
//
// BIN is the directory of the programs. Without -points every change of every
// scenario has its turn. It runs in namespaces of its own and needs root.
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
	points := flag.Int("points", 0, "points of each scenario, 0 for all")
	some := flag.Int("some", 0, "scenarios, as the seed chooses, 0 for all")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "which points, and which faults")
	kinds := flag.String("faults", strings.Join(faults, ","), "kinds of faults, of which each point has one")
	only := flag.String("scenario", "", "this scenario alone")
	at := flag.Int("at", 0, "this point alone")
	registry := flag.String("registry", "", "program of a registry, for pull and push")
	inside := flag.Bool("inside", false, "the namespaces are made already")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if !*inside {
		self, _ := os.Executable()
		// The shell reaps what is orphaned.
		args := []string{"--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
			"sh", "-c", "\"$@\" & wait $!", "sh", self, "-inside", "-seed", fmt.Sprint(*seed)}
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
		c := campaign{host: h, points: *points, some: *some, kinds: strings.Split(*kinds, ","), rand: rand.New(rand.NewPCG(*seed, 0)), reported: map[string]bool{}}
		fmt.Println("seed", *seed)
		err = c.run(*only, *at)
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
	some     int
	kinds    []string
	rand     *rand.Rand
	reported map[string]bool // differences from the unharmed host
	met      int             // faults that came
	failed   int
}

// point is a fault in a scenario.
type point struct {
	scenario scenario
	fault
}

func (c *campaign) run(only string, at int) error {
	for _, k := range c.kinds {
		if !slices.Contains(faults, k) {
			return fmt.Errorf("no fault %q: choose of %s", k, strings.Join(faults, ", "))
		}
	}
	chosen := slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool {
		return only != "" && s.name != only || s.remote && c.host.registry == nil
	})
	if len(chosen) == 0 {
		return fmt.Errorf("no scenario %q", only)
	}
	if c.some > 0 {
		c.rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:min(c.some, len(chosen))]
	}
	var points []point
	for _, s := range chosen { // unharmed, for what a host looks like that has seen it all
		o, err := c.host.attempt(s, fault{})
		if err != nil {
			return err
		}
		if o.Status != 0 {
			return fmt.Errorf("%s, unharmed, ended with %d: %s", s.name, o.Status, o.Output)
		}
		if err := c.host.clean(); err != nil {
			return fmt.Errorf("%s, unharmed: %w", s.name, err)
		}
		order := c.rand.Perm(o.Changes + 1) // the last one is after the end
		if c.points > 0 {
			order = order[:min(c.points, len(order))]
		}
		if at > 0 {
			order = []int{at - 1}
		}
		for _, n := range order {
			points = append(points, point{s, fault{n + 1, c.kinds[c.rand.IntN(len(c.kinds))]}})
		}
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
	for _, p := range points {
		if err := c.one(p, &before); err != nil {
			return err
		}
	}
	fmt.Printf("%d points in %d scenarios, %d faults met, %d failures, %s\n", len(points), len(chosen), c.met, c.failed, time.Since(start).Round(time.Second))
	if c.failed > 0 {
		return fmt.Errorf("%d of %d faults left something behind", c.failed, c.met)
	}
	return nil
}

// one brings on one fault and looks at what is left, compared with before. What
// went wrong is printed; an error says that the host is beyond further use.
func (c *campaign) one(p point, before *view) error {
	o, err := c.host.attempt(p.scenario, p.fault)
	if err != nil {
		return err
	}
	if o.At != "" {
		c.met++
	}
	if p.Kind == power {
		if o.At == "" {
			c.met, o.At = c.met+1, "the end"
		}
		if err := c.host.losePower(); err != nil {
			return err
		}
	}
	var wrong []string
	damaged := false // not merely untidy
	if o.Status == 0 && p.scenario.promise != "" && !(p.scenario.fleeting && p.Kind == power) {
		if out, err := c.host.sh(p.scenario.promise); err != nil {
			wrong = append(wrong, "the command ended well, but: "+out)
		}
	}
	if p.Kind == full || p.Kind == broken {
		if o.Status != 0 && !strings.Contains(o.Output, errnos[p.Kind].Error()) {
			wrong = append(wrong, "the command does not say what is wrong: "+o.Output)
		}
	}
	if err := c.host.check(); err != nil {
		wrong, damaged = append(wrong, err.Error()), true
	}
	if err := c.host.clean(); err != nil {
		wrong, damaged = append(wrong, err.Error()), true
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
	fmt.Printf("FAIL -scenario %s -at %d -faults %s (%s)\n", p.scenario.name, p.At, p.Kind, o.At)
	for _, w := range wrong {
		fmt.Println("     " + strings.ReplaceAll(w, "\n", "\n     "))
	}
	if !damaged {
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
