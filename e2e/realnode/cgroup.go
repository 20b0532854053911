//go:build linux

package realnode

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// cgroupRoot is where the hierarchies of cgroups are mounted: one for each controller in version 1, a single one in version 2.
const cgroupRoot = "/sys/fs/cgroup"

// cgroup is the one that holds all containers of a node. It has a folder in each hierarchy.
type cgroup struct{ name string }

// hierarchies returns the folders under which cgroups are made.
func hierarchies() ([]string, error) {
	if unified() {
		return []string{cgroupRoot}, nil
	}
	found, err := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs"))
	if err != nil || len(found) == 0 {
		return nil, errors.Join(fmt.Errorf("no cgroup hierarchy is mounted under %s", cgroupRoot), err)
	}
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found, nil
}

func unified() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err == nil
}

// create makes the cgroup, without any limit.
func (g cgroup) create() error {
	parents, err := hierarchies()
	if err != nil {
		return err
	}
	for _, parent := range parents {
		if err := os.MkdirAll(filepath.Join(parent, g.name), 0o755); err != nil {
			return fmt.Errorf("make a cgroup: %w", errors.Join(err, g.remove()))
		}
	}
	return nil
}

// remove removes the cgroup with all in it, where no process may run any more. Removing one that is gone is no error.
func (g cgroup) remove() error {
	parents, err := hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, parent := range parents {
		var folders []string
		_ = filepath.WalkDir(filepath.Join(parent, g.name), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() { // what cannot be read shows when its parent is removed
				folders = append(folders, path)
			}
			return nil
		})
		for _, folder := range slices.Backward(folders) { // children first
			if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("remove a cgroup: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// Applied is what the kernel was told about a container.
type Applied struct {
	// CPUWeight of the container beside others: cpu.shares in version 1, cpu.weight in version 2.
	CPUWeight int64
	// CPULimitMillis and MemoryLimitBytes; math.MaxInt64 means no limit.
	CPULimitMillis, MemoryLimitBytes int64
	// MemoryUsageBytes is what the container holds.
	MemoryUsageBytes int64
}

// Applied reads the cgroup files of a pod's first container.
func (n *Node) Applied(pod *corev1.Pod) (Applied, error) {
	if len(pod.Status.ContainerStatuses) == 0 {
		return Applied{}, fmt.Errorf("the pod %s has no container yet", pod.Name)
	}
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	read := containerFiles{group: n.group, pod: "pod" + string(pod.UID), container: id}
	var a Applied
	if unified() {
		quota := strings.Fields(read.text("", "cpu.max") + " 0 0") // quota and period
		a = Applied{
			CPUWeight: read.number("", "cpu.weight"), CPULimitMillis: millis(parse(quota[0]), parse(quota[1])),
			MemoryLimitBytes: read.number("", "memory.max"), MemoryUsageBytes: read.number("", "memory.current"),
		}
	} else {
		a = Applied{
			CPUWeight:        read.number("cpu", "cpu.shares"),
			CPULimitMillis:   millis(read.number("cpu", "cpu.cfs_quota_us"), read.number("cpu", "cpu.cfs_period_us")),
			MemoryLimitBytes: read.number("memory", "memory.limit_in_bytes"), MemoryUsageBytes: read.number("memory", "memory.usage_in_bytes"),
		}
	}
	return a, read.err
}

// containerFiles reads the files of one container and keeps the first error.
type containerFiles struct {
	group          cgroup
	pod, container string
	err            error
}

// text reads a file, in the hierarchy of a controller in version 1.
func (f *containerFiles) text(controller, file string) string {
	base := filepath.Join(cgroupRoot, controller, f.group.name, "kubepods")
	for _, class := range []string{"", "burstable", "besteffort"} {
		content, err := os.ReadFile(filepath.Join(base, class, f.pod, f.container, file))
		if err == nil {
			return strings.TrimSpace(string(content))
		}
	}
	f.err = errors.Join(f.err, fmt.Errorf("no %s of container %s under %s", file, f.container, base))
	return ""
}

func (f *containerFiles) number(controller, file string) int64 {
	return parse(f.text(controller, file))
}

// parse reads what a cgroup file says; no limit is "max" or -1.
func parse(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 {
		return math.MaxInt64
	}
	return value
}

// millis turns a quota for each period into thousandths of a core.
func millis(quota, period int64) int64 {
	if quota == math.MaxInt64 || period <= 0 {
		return math.MaxInt64
	}
	return quota * 1000 / period
}
