package buildcmd

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/errdef"
)

// BindPull declares --pull, whose value may be left out.
func BindPull(f *pflag.FlagSet, policy *string) {
	f.StringVar(policy, "pull", build.PullMissing, `pull base images from the registry. Values:
always:  pull base images even if the named images are present in store.
missing: pull base images if the named images are not present in store.
never:   only use images present in store if available.
newer:   only pull base images when newer images exist on the registry than those in the store.`)
	f.Lookup("pull").NoOptDefVal = build.PullAlways
}

// PullPolicy turns the words that --pull takes into a policy.
func PullPolicy(word string) string {
	switch word {
	case "true", "ifmissing":
		return build.PullMissing
	case "false":
		return build.PullNever
	case "ifnewer":
		return build.PullNewer
	}
	return word
}

// TimeFlags are the options that give an image a time of its own.
type TimeFlags struct {
	timestamp, sourceDate string
	clamp                 bool
}

// Bind declares them.
func (t *TimeFlags) Bind(f *pflag.FlagSet) {
	f.StringVar(&t.timestamp, "timestamp", "", "set new timestamps in image info and layer to `seconds` after the epoch, defaults to current times")
	f.StringVar(&t.sourceDate, "source-date-epoch", "", "set new timestamps in image info to `seconds` after the epoch, defaults to current time")
	f.BoolVar(&t.clamp, "rewrite-timestamp", false, "set timestamps in layers to no later than the value for --source-date-epoch")
}

// Apply puts them into the request.
func (t *TimeFlags) Apply(r *build.Request) error {
	if t.timestamp != "" && t.sourceDate != "" {
		return errdef.Newf(errdef.ErrInvalid, "--timestamp and --source-date-epoch can't be set together")
	}
	var err error
	if r.Timestamp, err = ParseTime("timestamp", t.timestamp); err != nil {
		return err
	}
	r.SourceDate, err = ParseTime("source-date-epoch", t.sourceDate)
	r.ClampTimes = t.clamp && r.SourceDate != nil
	return err
}

// ParseTime reads an option that counts the seconds since the epoch; nil for "".
func ParseTime(option, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing %s %q: it must be a number of seconds", option, text)
	}
	t := time.Unix(seconds, 0).UTC()
	return &t, nil
}

// KeyValues parts texts of the form "key=value".
func KeyValues(in []string) []build.KeyValue {
	var out []build.KeyValue
	for _, kv := range in {
		key, value, _ := strings.Cut(kv, "=")
		out = append(out, build.KeyValue{Key: key, Value: value})
	}
	return out
}
