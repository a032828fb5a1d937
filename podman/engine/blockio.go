package engine

import (
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// setBlockIO turns weights and rates of block devices into the
// specification's form.
func setBlockIO(r *specs.LinuxResources, req *ResourceRequest) error {
	b := &specs.LinuxBlockIO{}
	if req.BlkioWeight != "" {
		w, err := parseWeight(req.BlkioWeight)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid value for blkio-weight: %w", err)
		}
		b.Weight, r.BlockIO = &w, b
	}
	for _, text := range req.BlkioWeightDevices {
		major, minor, value, err := blockDevice(text)
		if err != nil {
			return err
		}
		w, err := parseWeight(value)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid weight for device: %s", text)
		}
		d := specs.LinuxWeightDevice{Weight: &w}
		d.Major, d.Minor = major, minor
		b.WeightDevice, r.BlockIO = append(b.WeightDevice, d), b
	}
	rates := []struct {
		texts []string
		to    *[]specs.LinuxThrottleDevice
		parse func(string) (uint64, error)
	}{
		{req.ReadBps, &b.ThrottleReadBpsDevice, parseRate}, {req.WriteBps, &b.ThrottleWriteBpsDevice, parseRate},
		{req.ReadIOps, &b.ThrottleReadIOPSDevice, parseCount}, {req.WriteIOps, &b.ThrottleWriteIOPSDevice, parseCount},
	}
	for _, rate := range rates {
		for _, text := range rate.texts {
			major, minor, value, err := blockDevice(text)
			if err != nil {
				return err
			}
			n, err := rate.parse(value)
			if err != nil {
				return errdef.Newf(errdef.ErrInvalid, "invalid rate for device: %s. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer", text)
			}
			d := specs.LinuxThrottleDevice{Rate: n}
			d.Major, d.Minor = major, minor
			*rate.to, r.BlockIO = append(*rate.to, d), b
		}
	}
	return nil
}

// parseWeight reads a weight of 10 to 1000.
func parseWeight(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n < 10 || n > 1000 {
		return 0, errdef.Newf(errdef.ErrInvalid, "%q is no weight between 10 and 1000", s)
	}
	return uint16(n), nil
}

// blockDevice reads DEVICE:VALUE and finds the device's numbers.
func blockDevice(text string) (major, minor int64, value string, err error) {
	path, value, ok := strings.Cut(text, ":")
	if !ok || !strings.HasPrefix(path, "/dev/") {
		return 0, 0, "", errdef.Newf(errdef.ErrInvalid, "bad format for device path: %s", text)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, "", errdef.Newf(errdef.ErrNotFound, "stat %s: %w", path, err)
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFBLK && kind != unix.S_IFCHR {
		return 0, 0, "", errdef.Newf(errdef.ErrInvalid, "%s is no device", path)
	}
	return int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev)), value, nil
}

func parseRate(s string) (uint64, error) {
	n, err := units.RAMInBytes(s)
	if err == nil && n < 0 {
		return 0, errdef.Newf(errdef.ErrInvalid, "negative rate")
	}
	return uint64(n), err
}

func parseCount(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }
