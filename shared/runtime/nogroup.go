package runtime

import (
	"github.com/opencontainers/cgroups"

	"github.com/podsuite/podsuite/shared/errdef"
)

func errNoGroup() error {
	return errdef.Newf(errdef.ErrUnsupported, "it was made without control groups")
}

// noGroup is the control group of a container that has none: its processes
// stay where the one that started them is.
type noGroup struct{}

func (noGroup) Apply(int) error                                     { return nil }
func (noGroup) AddPid(string, int) error                            { return nil }
func (noGroup) GetPids() ([]int, error)                             { return nil, nil }
func (noGroup) GetAllPids() ([]int, error)                          { return nil, nil }
func (noGroup) GetStats() (*cgroups.Stats, error)                   { return nil, errNoGroup() }
func (noGroup) Stats(*cgroups.StatsOptions) (*cgroups.Stats, error) { return nil, errNoGroup() }
func (noGroup) Freeze(cgroups.FreezerState) error                   { return errNoGroup() }
func (noGroup) Destroy() error                                      { return nil }
func (noGroup) Path(string) string                                  { return "" }
func (noGroup) Set(*cgroups.Resources) error                        { return nil }
func (noGroup) GetPaths() map[string]string                         { return nil }
func (noGroup) GetCgroups() (*cgroups.Cgroup, error)                { return nil, errNoGroup() }
func (noGroup) GetFreezerState() (cgroups.FreezerState, error)      { return cgroups.Undefined, nil }
func (noGroup) Exists() bool                                        { return false }
func (noGroup) OOMKillCount() (uint64, error)                       { return 0, nil }
