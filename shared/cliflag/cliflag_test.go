package cliflag_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/registry"
)

// parse declares options, parses the words and gives the parser's error.
func parse(bind func(*pflag.FlagSet), words string) error {
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	bind(f)
	return f.Parse(strings.Fields(words))
}

func TestCredentialsOfOneSide(t *testing.T) {
	for words, want := range map[string]string{
		"--src-creds a:b:c":                 "a b:c",
		"--src-creds a":                     "a ",
		"--src-username a --src-password b": "a b",
		"--src-username a --src-password=":  "a ",
		"":                                  "",
		"--src-creds :b":                    "! username can't be empty",
		"--src-creds=":                      "! credentials can't be empty",
		"--src-username a":                  "! password must be specified when username is specified",
		"--src-password a":                  "! username must be specified when password is specified",
		"--src-creds a:b --src-no-creds":    "! creds and no-creds cannot be specified at the same time",
		"--src-username a --src-password b --src-no-creds": "! username and no-creds cannot be specified at the same time",
		"--src-creds a:b --src-username a":                 "! creds and username cannot be specified at the same time",
	} {
		var r cliflag.Registry
		if err := parse(func(f *pflag.FlagSet) { r.BindSide(f, "src-") }, words); err != nil {
			t.Fatal(err)
		}
		o, err := r.Options()
		got := ""
		switch {
		case err != nil && !errors.Is(err, errdef.ErrInvalid):
			t.Errorf("%s: %v has no class", words, err)
		case err != nil:
			got = "! " + err.Error()
		case o.Credentials != nil:
			got = o.Credentials.Username + " " + o.Credentials.Password
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", words, got, want)
		}
	}
}

func TestRegistryOptions(t *testing.T) {
	var r cliflag.Registry
	file := filepath.Join(t.TempDir(), "auth.json")
	if err := parse(r.Bind, "--authfile "+file+" --cert-dir /c --tls-verify=0"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AskingOptions(); !errors.Is(err, errdef.ErrInvalid) || !strings.Contains(err.Error(), file) {
		t.Errorf("a missing file of credentials: %v", err)
	}
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := r.AskingOptions()
	if err != nil || o.AuthFile != file || o.CertDir != "/c" || o.TLSVerify == nil || *o.TLSVerify {
		t.Errorf("got %+v, %v", o, err)
	}
	var silent cliflag.Registry
	if err := parse(silent.Bind, ""); err != nil {
		t.Fatal(err)
	}
	if o, err := silent.AskingOptions(); err != nil || o.TLSVerify != nil || o.Credentials != nil {
		t.Errorf("without options: %+v, %v", o, err)
	}
	if err := parse(silent.Bind, "--tls-verify"); err != nil {
		t.Fatal(err)
	}
	if o, _ := silent.Options(); o.TLSVerify == nil || !*o.TLSVerify {
		t.Error("--tls-verify alone does not ask for verification")
	}
}

func TestRetry(t *testing.T) {
	for words, want := range map[string]registry.Options{
		"":                             {}, // as configured
		"--retry 0":                    {Retries: -1},
		"--retry 7 --retry-delay 1m2s": {Retries: 7, RetryDelay: 62 * time.Second},
	} {
		var r cliflag.Retry
		var got registry.Options
		if err := parse(r.Bind, words); err != nil {
			t.Fatal(err)
		}
		if r.Into(&got); got.Retries != want.Retries || got.RetryDelay != want.RetryDelay {
			t.Errorf("%q: got %d, %s", words, got.Retries, got.RetryDelay)
		}
	}
	for _, words := range []string{"--retry -1", "--retry x", "--retry-delay soon", "--retry-delay -1s"} {
		var r cliflag.Retry
		if parse(r.Bind, words) == nil {
			t.Errorf("%q was accepted", words)
		}
	}
}

func TestPlatform(t *testing.T) {
	for words, want := range map[string]v1.Platform{
		"":                                      {},
		"--arch arm64 --variant v8":             {Architecture: "arm64", Variant: "v8"},
		"--arch x86_64":                         {Architecture: "amd64"},
		"--platform linux/aarch64":              {OS: "linux", Architecture: "arm64"},
		"--platform linux/arm/v7":               {OS: "linux", Architecture: "arm", Variant: "v7"},
		"--platform windows --variant x":        {OS: "windows", Variant: "x"},
		"--platform linux/arm/v7 --variant v5a": {OS: "linux", Architecture: "arm", Variant: "v7"},
	} {
		var p cliflag.Platform
		if err := parse(p.Bind, words); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Value(); err != nil || !got.Equals(want) {
			t.Errorf("%q: got %v, %v", words, got, err)
		}
	}
	for _, words := range []string{"--platform a/b/c/d", "--platform /arm", "--platform linux --os linux", "--platform linux --arch arm"} {
		var p cliflag.Platform
		if err := parse(p.Bind, words); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Value(); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

func TestWhatIsWritten(t *testing.T) {
	var f cliflag.Format
	for name, want := range map[string]string{"oci": "oci", "v2s2": "v2s2", "docker": "v2s2", "v2s1": "!", "toml": "!"} {
		if err := parse(f.Bind, "--format "+name); err != nil {
			t.Fatal(err)
		}
		got, err := f.Value()
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("format %s: got %q, %v", name, got, err)
		}
	}
	for words, force := range map[string]bool{
		"":                          false,
		"--compression-format zstd": true,
		"--compression-format zstd --force-compression=false": false,
	} {
		var c cliflag.Compression
		if err := parse(c.Bind, words); err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); err != nil || c.Force != force {
			t.Errorf("%q: forced is %v, %v", words, c.Force, err)
		}
	}
}

func TestProgress(t *testing.T) {
	for words, want := range map[string]string{
		"--progress plain":    "Copying blob abc\n",
		"--progress none":     "",
		"--progress plain -q": "",
		"":                    "Copying blob abc\n", // a file is no terminal
		"--progress dots":     "!",
	} {
		var p cliflag.Progress
		if err := parse(func(f *pflag.FlagSet) { p.Bind(f, "be quiet") }, words); err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		got := "!"
		if shown, err := p.On(out); err == nil {
			shown.Start("blob", "abc", 1).Finish(nil)
			shown.Done()
			data, _ := os.ReadFile(out.Name())
			got = string(data)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", words, got, want)
		}
	}
}
