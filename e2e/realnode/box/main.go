//go:build linux

// Command box is the first process of a mount and PID namespace, in which it makes what a real node writes to vanish with it:
//
//	box DIR
//
// DIR becomes a file system in memory, parts of which take the place of the folders that containerd and the kubelet use
// whatever they are told. Then box prints "ready" and does what a first process has to, until it is asked to end.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// hidden are the folders in whose place empty ones are seen.
var hidden = []string{"/run", "/var/lib", "/var/log"}

// settings of the kernel that a kubelet insists on. It sees these, and the machine keeps its own.
var settings = map[string]string{
	"vm.overcommit_memory":      "1",
	"vm.panic_on_oom":           "0",
	"kernel.panic":              "10",
	"kernel.panic_on_oops":      "1",
	"kernel.keys.root_maxkeys":  "1000000",
	"kernel.keys.root_maxbytes": "25000000",
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "box:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 || os.Getpid() != 1 {
		return fmt.Errorf("wants one folder, and to be the first process of a namespace")
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	if err := furnish(args[0]); err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		select {
		case <-ended:
			return nil // The kernel kills everything else in the namespace.
		case <-children:
			reap()
		}
	}
}

// furnish makes the mounts.
func furnish(dir string) error {
	// Nothing that happens here is seen outside.
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC); err != nil {
		return err
	}
	if err := mount("tmpfs", dir, "tmpfs", 0); err != nil {
		return err
	}
	for _, target := range hidden {
		if err := bind(filepath.Join(dir, target), target, func(path string) error { return os.MkdirAll(path, 0o755) }); err != nil {
			return err
		}
	}
	for name, value := range settings {
		path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
		write := func(file string) error { return os.WriteFile(file, []byte(value+"\n"), 0o644) }
		if err := bind(filepath.Join(dir, name), path, write); err != nil {
			return err
		}
	}
	return nil
}

// bind makes something and shows it in the place of something else.
func bind(source, target string, create func(path string) error) error {
	if err := create(source); err != nil {
		return err
	}
	return mount(source, target, "", syscall.MS_BIND)
}

func mount(source, target, kind string, flags uintptr) error {
	if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// reap collects the processes whose parents are gone.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}
