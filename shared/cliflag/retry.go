package cliflag

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/registry"
)

// Retry says how often something is tried again after a passing trouble.
type Retry struct {
	Times int
	Delay time.Duration // 0: the configured one
	given bool          // Times is the user's
}

// Bind declares the options of podman and buildah.
func (r *Retry) Bind(f *pflag.FlagSet) {
	r.Times = imgcopy.DefaultRetries
	f.Var((*count)(r), "retry", "number of times to retry in case of failure")
	f.Var((*delay)(&r.Delay), "retry-delay", "delay between retries in case of failure")
}

// BindTimes declares the options of skopeo.
func (r *Retry) BindTimes(f *pflag.FlagSet) {
	f.IntVar(&r.Times, "retry-times", 0, "the number of times to possibly retry")
	f.DurationVar(&r.Delay, "retry-delay", 0, "Fixed delay between retries. If not set, retry uses an exponential backoff delay.")
}

// Into notes it in the options of a pull or push, where 0 stands for the
// configured number and a negative one for none.
func (r *Retry) Into(o *registry.Options) {
	o.RetryDelay = r.Delay
	switch {
	case !r.given:
		o.Retries = 0
	case r.Times == 0:
		o.Retries = -1
	default:
		o.Retries = r.Times
	}
}

// count is the number of times, which is not negative.
type count Retry

func (c *count) String() string { return strconv.Itoa(c.Times) }
func (c *count) Type() string   { return "uint" }

func (c *count) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 31)
	c.Times, c.given = int(n), true
	return err
}

// delay is a duration whose default is not shown.
type delay time.Duration

func (d *delay) Type() string { return "string" }

func (d *delay) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

func (d *delay) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err == nil && v < 0 {
		err = fmt.Errorf("want a duration such as 2s")
	}
	*d = delay(v)
	return err
}
