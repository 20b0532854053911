package binaries

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/modfile"
)

// modulePath is the module whose go.mod pins the programs.
const modulePath = "github.com/loadline-dev/loadline/e2e"

// reportEvery is the time between two lines about a build that takes long.
const reportEvery = 10 * time.Second

// set is a group of programs that is built, cached and thrown away together.
type set struct {
	name     string   // for progress lines
	module   string   // folder of the go.mod, relative to the e2e module
	sources  []string // folders of our own source in that module, part of the key
	targets  []target
	tags     string    // of the go command, separated by spaces
	headers  string    // that the system has to have, as they are included
	packages string    // Debian's packages with those
	omit     *omission // nil: build the modules as they are
	shared   bool      // the module has other users, see key
	cgo      *cgo      // nil: the programs are Go alone, as far as the platform allows
}

// ensure returns the folder with the set's programs, after building them if it
// is not there.
func ensure(ctx context.Context, opts Options, s set) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	return ensureIn(ctx, opts, filepath.Join(root, s.module), s)
}

// moduleRoot returns the folder of the e2e module, inside which the process has
// to run.
func moduleRoot(ctx context.Context) (string, error) {
	gomod, err := goOutput(ctx, "", "env", "GOMOD")
	if err != nil {
		return "", fmt.Errorf("find the e2e module: %w", err)
	}
	content, err := os.ReadFile(gomod)
	if err != nil || modfile.ModulePath(content) != modulePath {
		return "", fmt.Errorf("find the e2e module: the working directory has to be inside it, go uses %q", gomod)
	}
	return filepath.Dir(gomod), nil
}

func ensureIn(ctx context.Context, opts Options, moduleDir string, s set) (string, error) {
	cache, err := opts.cacheDir()
	if err != nil {
		return "", err
	}
	key, err := s.key(ctx, opts, cache, moduleDir)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, key)
	if complete(dir) {
		opts.printf("%s: built before, in %s\n", s.name, dir)
		return dir, nil
	}
	unlock, err := lock(ctx, opts, s.name, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(dir) { // by whoever held the lock
		return dir, nil
	}
	if err := s.build(ctx, opts, moduleDir, dir); err != nil {
		return "", err
	}
	return dir, nil
}

// build builds into a folder beside the final one and renames it, so that a
// folder with the final name is always complete. The caller holds the lock.
func (s set) build(ctx context.Context, opts Options, moduleDir, dir string) error {
	tmp := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir))
	if err := os.RemoveAll(tmp); err != nil { // of a build that was killed
		return fmt.Errorf("make room for the %s: %w", s.name, err)
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return fmt.Errorf("make room for the %s: %w", s.name, err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if s.omit != nil {
		scratch, err := os.MkdirTemp("", "loadline-build-")
		if err != nil {
			return fmt.Errorf("make room for the source of the %s: %w", s.name, err)
		}
		defer func() { _ = os.RemoveAll(scratch) }()
		if moduleDir, err = s.omit.apply(ctx, moduleDir, scratch); err != nil {
			return err
		}
	}
	opts.printf("%s: building %d program(s) from Go modules, the first time takes minutes\n", s.name, len(s.targets))
	begin := time.Now()
	for i := range s.targets {
		if err := s.buildTarget(ctx, opts, i, moduleDir, tmp); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("finish the %s: %w", s.name, err)
	}
	opts.printf("%s: built in %s, kept in %s\n", s.name, time.Since(begin).Round(time.Second), dir)
	return nil
}

// buildTarget builds the i-th program into the folder out.
func (s set) buildTarget(ctx context.Context, opts Options, i int, moduleDir, out string) error {
	t, begin := s.targets[i], time.Now()
	label := fmt.Sprintf("%s: [%d/%d] %s", s.name, i+1, len(s.targets), t.name)
	err := checkHeaders(ctx, s.headers, s.packages)
	if err != nil {
		return fmt.Errorf("build %s: %w", t.name, err)
	}
	headers, err := s.cgo.environment(ctx, opts, moduleDir)
	if err != nil {
		return fmt.Errorf("build %s: %w", t.name, err)
	}
	env := append(s.environment(), headers...)
	// The flags are those of the Makefile, so that tests and programs share every
	// compiled package; -ldflags only changes how they are linked.
	_, err = report(opts, label, func() (string, error) {
		return goOutputWith(ctx, env, moduleDir, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-tags", s.tags, "-ldflags", t.ldflags,
			"-o", filepath.Join(out, t.name), t.pkg)
	})
	if err != nil {
		return fmt.Errorf("build %s: %w", t.name, err)
	}
	opts.printf("%s done in %s\n", label, time.Since(begin).Round(time.Second))
	return nil
}

// environment makes the go command compile C, or none, whatever is set.
func (s set) environment() []string {
	if s.cgo != nil || s.headers != "" {
		return []string{"CGO_ENABLED=1"}
	}
	return []string{"CGO_ENABLED=0"}
}

// report calls work and prints a line with the time gone by for every ten
// seconds that it takes.
func report(opts Options, label string, work func() (string, error)) (string, error) {
	begin := time.Now()
	finished, silent := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(silent)
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-finished:
				return
			case <-tick.C:
				opts.printf("%s … %s\n", label, time.Since(begin).Round(time.Second))
			}
		}
	}()
	result, err := work()
	close(finished)
	<-silent
	return result, err
}

// goOutput runs the go command in dir.
func goOutput(ctx context.Context, dir string, args ...string) (string, error) {
	return goOutputWith(ctx, nil, dir, args...)
}

// goOutputWith runs the go command in dir with more in its environment.
func goOutputWith(ctx context.Context, env []string, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // lets go remove its scratch files
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

func complete(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

// lock waits until no other process builds the same set. The lock goes away
// with the process that holds it.
func lock(ctx context.Context, opts Options, name, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the build lock: %w", err)
	}
	waiting := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !waiting {
			opts.printf("%s: another process is building, waiting for it\n", name)
			waiting = true
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for another build of the %s: %w", name, context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}
