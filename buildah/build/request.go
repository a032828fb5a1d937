package build

import (
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podsuite/podsuite/shared/encryption"
	"github.com/podsuite/podsuite/shared/registry"
)

// Formats of an image's manifest and configuration.
const (
	FormatOCI    = "oci"
	FormatDocker = "docker"
)

// Pull policies.
const (
	PullMissing = "missing"
	PullAlways  = "always"
	PullNever   = "never"
	PullNewer   = "newer"
)

// Request is what one build is asked to do. The zero value of a field is its
// default.
type Request struct {
	Context    string   // directory; absolute
	Files      []string // Containerfiles, read one after the other; empty = found in Context
	IgnoreFile string   // instead of the context's ignore file
	Tags       []string // names of the image, the first is the main one
	Target     string   // stage to stop at
	From       string   // replaces the first FROM's image
	Format     string   // FormatOCI unless set
	Pull       string   // PullMissing unless set

	Args        map[string]string // build arguments
	Labels      []KeyValue
	Annotations []KeyValue
	LayerLabels []KeyValue // of the images of single steps
	OSVersion   string     // in place of the base image's
	OSFeatures  []string   // beside the base image's
	Env         []KeyValue
	Unset       Unset
	Contexts    map[string]string // additional contexts: name → directory or image
	Secrets     map[string]Secret // by ID
	SSH         map[string]SSH    // by ID

	Layers                      bool       // an image for each step, and the cache
	NoCache                     bool       // don't look into the cache
	Jobs                        int        // stages at once, of all platforms; 0 = as many as there are
	KeepUnused                  bool       // build stages that the target does not need
	Timestamp                   *time.Time // of image, history and files
	SourceDate                  *time.Time // of image and history
	ClampTimes                  bool       // no file is younger than SourceDate
	NoCreated                   bool       // no annotation tells when the image was made
	SquashAll                   bool       // one layer for the whole image
	NoIdentity                  bool       // don't say which builder made the image
	NoHistory                   bool
	DropLabels, DropAnnotations bool   // don't take over the base image's
	Version                     string // of the program, for the identity label
	Run                         RunOptions
	Registry                    registry.Options // for pulls
	Keys                        *encryption.Keys // of encrypted images that are pulled
	Platform                    v1.Platform      // of the image, and of those that are pulled; the host's where empty
	Bill                        *Bill            // of the materials in the image; nil = none
	AddFiles                    []string         // "source:destination", put into the image and not into the working container
	Network                     string           // "", "private", "host", "none", names of networks or the path of a namespace
	Stdin                       *os.File         // of RUN
	CacheFrom, CacheTo          []CachePlace     // with Layers: where images of steps come from and go to
	CPPFlags                    []string         // for Containerfiles whose names end in .in
	CacheTTL                    time.Duration    // images older than this are no cache; 0 = none is too old
	ReadContainer               string           // standard input as a Containerfile, when Files holds "-"
	Quiet                       bool
	Progress                    string // how Stdout shows the steps: plain unless it is tty, json (on Stderr) or none
	LogFile                     string // instead of Stdout and Stderr: one for each platform, "FILE_OS_ARCH"

	Stdout io.Writer // progress and the output of RUN; a *os.File goes to RUN as it is
	Stderr io.Writer

	several bool          // this is one of several platforms that are built at once
	out     *output       // shared by the platforms; nil = one of its own
	slots   chan struct{} // a stage that works holds one; nil = there is no limit
}

// KeyValue is a name with its value.
type KeyValue struct{ Key, Value string }

// Unset lists what the image does not take over.
type Unset struct{ Env, Labels, Annotations []string }

// Secret is where the content of a secret comes from: one of the two.
type Secret struct{ File, Env string }

func (r *Request) format() string {
	if r.Format == "" {
		return FormatOCI
	}
	return r.Format
}

// fixedTime is the time that the request gives the image, nil for that of its making.
func (r *Request) fixedTime() *time.Time {
	if r.Timestamp != nil {
		return r.Timestamp
	}
	return r.SourceDate
}

// now is the time that goes into the image.
func (r *Request) now() time.Time {
	if t := r.fixedTime(); t != nil {
		return t.UTC()
	}
	return time.Now().UTC()
}
