package process

import (
	"runtime"
	"syscall"
)

// startAndWatch starts the process from a goroutine that keeps its thread until
// the process ends: the kernel sends the parent-death signal when the *thread*
// that forked goes away.
func (p *Process) startAndWatch() error {
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}
