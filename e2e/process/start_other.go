//go:build unix && !linux

package process

// startAndWatch starts the process and notes when it ends. Without a
// parent-death signal it outlives a parent that is killed.
func (p *Process) startAndWatch() error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}
