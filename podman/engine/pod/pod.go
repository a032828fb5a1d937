package pod

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/shared/errdef"
)

// What happens to a pod when the last of its containers has ended.
const (
	Continue = "continue" // its infra container runs on
	Stop     = "stop"     // so does it
)

// Pod is what a pod was made as.
type Pod struct {
	ID           string                `json:"id"`
	Name         string                `json:"name"`
	Created      time.Time             `json:"created"`
	CreatedBy    []string              `json:"createdBy"` // the command line
	Labels       map[string]string     `json:"labels,omitempty"`
	Hostname     string                `json:"hostname,omitempty"` // as asked for
	ExitPolicy   string                `json:"exitPolicy"`
	Restart      string                `json:"restart,omitempty"` // its containers' restart policy, unless they have their own
	InfraID      string                `json:"infraID,omitempty"` // of the infra container, if there is one
	Share        []string              `json:"share,omitempty"`   // kinds of namespaces that containers share with the infra container, sorted
	CgroupParent string                `json:"cgroupParent"`      // the control group that the pod's lies in
	CgroupPath   string                `json:"cgroupPath,omitempty"`
	Resources    *specs.LinuxResources `json:"resources,omitempty"` // limits on all containers together
	SecurityOpt  []string              `json:"securityOpt,omitempty"`
}

// Shares says whether the containers of the pod share the kind of namespace.
func (p *Pod) Shares(kind string) bool { return p.InfraID != "" && slices.Contains(p.Share, kind) }

// HostName is the host's name in a shared UTS namespace.
func (p *Pod) HostName() string {
	if p.Hostname != "" {
		return p.Hostname
	}
	return p.Name
}

// Dir is a directory of pods.
type Dir struct{ path string }

// Open names the directory; it is made with the first pod.
func Open(path string) *Dir { return &Dir{path} }

const suffix = ".json"

// MaxName is how long a name may be, so that a file can have it.
const MaxName = 200

func (d *Dir) file(name string) string { return filepath.Join(d.path, name+suffix) }

// Add writes a new pod's record; the class is errdef.ErrConflict when another
// pod has the name. The record is whole and on the disk before it has its name.
func (d *Dir) Add(p *Pod) error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return fmt.Errorf("create pod %q: %w", p.Name, err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write pod %q: %w", p.Name, err)
	}
	tmp, err := os.CreateTemp(d.path, ".new-*")
	if err != nil {
		return fmt.Errorf("write pod %q: %w", p.Name, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Link(tmp.Name(), d.file(p.Name))
	}
	if errors.Is(err, fs.ErrExist) {
		return errdef.Newf(errdef.ErrConflict, "adding pod to state: name %q is in use: pod already exists", p.Name)
	}
	if err != nil {
		return fmt.Errorf("write pod %q: %w", p.Name, err)
	}
	return nil
}

// Get finds the pod of the name.
func (d *Dir) Get(name string) (*Pod, error) {
	if strings.ContainsRune(name, '/') || len(name) > MaxName {
		return nil, noPod(name)
	}
	data, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noPod(name)
	}
	p := new(Pod)
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	if err != nil {
		return nil, fmt.Errorf("read pod %q: %w", name, err)
	}
	return p, nil
}

// Find finds a pod by its name, its ID or the beginning of its ID.
func (d *Dir) Find(nameOrID string) (*Pod, error) {
	p, err := d.Get(nameOrID)
	if err == nil || !errors.Is(err, errdef.ErrNotFound) || nameOrID == "" {
		return p, err
	}
	all, err := d.List()
	if err != nil {
		return nil, err
	}
	for _, candidate := range all {
		if !strings.HasPrefix(candidate.ID, nameOrID) {
			continue
		}
		if p != nil {
			return nil, errdef.Newf(errdef.ErrConflict, "more than one result for ID or name %s: pod already exists", nameOrID)
		}
		p = candidate
	}
	if p == nil {
		return nil, noPod(nameOrID)
	}
	return p, nil
}

func noPod(name string) error {
	return errdef.Newf(errdef.ErrNotFound, "no pod with name or ID %s found: no such pod", name)
}

// List lists the pods, the oldest first.
func (d *Dir) List() ([]*Pod, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var all []*Pod
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), suffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		p, err := d.Get(name)
		if errors.Is(err, errdef.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *Pod) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// Remove removes the pod's record.
func (d *Dir) Remove(name string) error {
	if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove pod %q: %w", name, err)
	}
	return nil
}
