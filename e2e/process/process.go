// Package process runs a child process in a process group of its own, keeps
// its output in a file, notices when it dies and stops it for certain.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a process may take after SIGTERM.
	stopGrace = 10 * time.Second
	// pollInterval is the time between two readiness checks.
	pollInterval = 50 * time.Millisecond
	// tailLines is how much of the log an error shows.
	tailLines = 20
)

// Process is a started child process. Its methods may be called from several
// goroutines and after the process has ended.
type Process struct {
	name    string
	cmd     *exec.Cmd
	logFile string
	done    chan struct{}
	err     error // valid once done is closed

	mu      sync.Mutex
	stopped bool
}

// Start starts cmd with its output going to logFile, which is appended to. The
// process gets its own process group, so a Ctrl-C in the terminal does not
// reach it, and on Linux it is killed when the calling process dies, however
// that happens.
func Start(name string, cmd *exec.Cmd, logFile string) (*Process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	p := &Process{name: name, cmd: cmd, logFile: logFile, done: make(chan struct{})}
	if err := p.startAndWatch(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// Name returns the name given to Start.
func (p *Process) Name() string { return p.name }

// PID returns the process id, which is also the id of its process group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// LogFile returns the path of the file with the output.
func (p *Process) LogFile() string { return p.logFile }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process. A process that was asked to stop by
// this package ends without error.
func (p *Process) Wait() error {
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	return p.err
}

// Stop asks the process group to end, and kills it after ten seconds. It
// returns an error only if the kill was needed.
func (p *Process) Stop() error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(stopGrace):
		p.Kill()
		return fmt.Errorf("%s ignored SIGTERM for %s and was killed", p.name, stopGrace)
	}
}

// Kill ends the process group at once and waits until it is gone.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Pause stops the process group where it is, without its knowing, until Resume.
func (p *Process) Pause() { p.send(syscall.SIGSTOP) }

// Resume lets a paused process group go on.
func (p *Process) Resume() { p.send(syscall.SIGCONT) }

// signal sends what ends the process. A paused one would only get to see it after it goes on.
func (p *Process) signal(s syscall.Signal) {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.send(s)
	p.send(syscall.SIGCONT)
}

func (p *Process) send(s syscall.Signal) {
	select {
	case <-p.done: // its id may belong to somebody else by now
	default:
		_ = syscall.Kill(-p.PID(), s) // gone in the meantime is fine
	}
}

// WaitReady calls check every 50 ms until it returns nil. It fails as soon as
// the process dies or ctx ends, naming the last failure and the last log lines.
func (p *Process) WaitReady(ctx context.Context, check func(context.Context) error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s died before it was ready (%s); the end of %s:\n%s",
				p.name, p.ended(), p.logFile, p.LogTail(tailLines))
		case <-ctx.Done():
			return fmt.Errorf("%s not ready: %w: %w; the end of %s:\n%s",
				p.name, context.Cause(ctx), err, p.logFile, p.LogTail(tailLines))
		case <-tick.C:
		}
	}
}

func (p *Process) ended() string {
	if p.err != nil {
		return p.err.Error()
	}
	return "exit status 0"
}

// LogTail returns the last lines of the output, or why they cannot be had.
func (p *Process) LogTail(lines int) string {
	data, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
