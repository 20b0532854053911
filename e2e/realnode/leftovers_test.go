//go:build full && linux

package realnode_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// traces is what a node could leave on the machine.
type traces struct {
	Mounts, Cgroups []string // of this run
	Links           []string
	Settings        map[string]string
	Folders         []string // that every container engine writes to, as far as they exist
}

// look collects the traces of the run with the given directory.
func look(t *testing.T, dir string) traces {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	seen := traces{Settings: map[string]string{}}
	for _, link := range links {
		seen.Links = append(seen.Links, link.Name)
	}
	for line := range strings.Lines(read("/proc/self/mountinfo")) {
		if strings.Contains(line, dir) || strings.Contains(line, "containerd") || strings.Contains(line, "kubelet") {
			seen.Mounts = append(seen.Mounts, line)
		}
	}
	for _, depth := range []string{"", "*/"} {
		seen.Cgroups = append(seen.Cgroups, glob(t, "/sys/fs/cgroup/"+depth+filepath.Base(dir))...)
	}
	for _, name := range []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"} {
		seen.Settings[name] = read("/proc/sys/" + name)
	}
	for _, folder := range []string{
		"/run/containerd", "/run/netns", "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods", "/opt/cni",
		"/opt/containerd", "/etc/cni", "/usr/libexec/kubernetes",
	} {
		if _, err := os.Stat(folder); err == nil {
			seen.Folders = append(seen.Folders, folder)
		}
	}
	return seen
}

// read returns the content of a file, or nothing.
func read(path string) string {
	content, _ := os.ReadFile(path)
	return string(content)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
