package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/loadline-dev/loadline/e2e/process"
)

func start(t *testing.T, script string) *process.Process {
	t.Helper()
	p, err := process.Start("script", exec.Command("sh", "-c", script), filepath.Join(t.TempDir(), "script.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestAProcessThatDiesWhileItIsWaitedForIsReportedAtOnceWithItsLog(t *testing.T) {
	p := start(t, "echo 'unknown flag: --colour' >&2; exit 3")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	err := p.WaitReady(ctx, func(context.Context) error { return errors.New("connection refused") })

	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "unknown flag: --colour") {
		t.Fatalf("the error must show the exit status and the log, got: %v", err)
	}
	if ctx.Err() != nil {
		t.Fatal("waited until the deadline although the process was dead")
	}
}

func TestWaitReadyNamesTheLastFailureAtTheDeadline(t *testing.T) {
	p := start(t, "sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()

	err := p.WaitReady(ctx, func(context.Context) error { return errors.New("connection refused") })

	if err == nil || !strings.Contains(err.Error(), "connection refused") || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got: %v", err)
	}
}

func TestAPausedProcessDoesNothingUntilItGoesOn(t *testing.T) {
	p := start(t, "i=0; while :; do i=$((i+1)); [ $((i % 50000)) = 0 ] && echo tick; done") // without children
	lines := func() int { return strings.Count(p.LogTail(1_000_000), "tick") }
	await(t, func() bool { return lines() > 0 })

	p.Pause()
	await(t, func() bool { return state(t, p.PID()) == "T" })
	before := lines()
	p.Resume()

	await(t, func() bool { return lines() > before })
	p.Pause()
	if err := p.Stop(); err != nil {
		t.Errorf("a paused process can be stopped, got: %v", err)
	}
}

// state is the letter with which the kernel names what a process does.
func state(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return after[:1]
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !condition() {
		if ctx.Err() != nil {
			t.Fatal("it never happened")
		}
		runtime.Gosched()
	}
}

func TestStopEndsTheWholeProcessGroup(t *testing.T) {
	p := start(t, "sleep 60 & wait")

	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("a stop that was asked for is no failure, got: %v", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for syscall.Kill(-p.PID(), 0) == nil {
		if time.Now().After(deadline) {
			t.Fatal("a member of the process group is still there")
		}
	}
	if err := p.Stop(); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func TestAProcessThatFailsByItselfSaysSo(t *testing.T) {
	if err := start(t, "exit 7").Wait(); err == nil {
		t.Fatal("want an error")
	}
}
