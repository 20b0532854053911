package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress says how far something is, once it has taken five seconds: on a terminal in one line that is rewritten each
// second, elsewhere in a new line every ten. Several goroutines may use it.
type progress struct {
	w       io.Writer
	what    string
	total   int
	started time.Time
	every   time.Duration
	format  string

	mu   sync.Mutex
	done int
	// shown is when the last line was written, and last what it said was done.
	shown time.Time
	last  int
}

func newProgress(w io.Writer, what string, total int) *progress {
	p := &progress{w: w, what: what, total: total, started: time.Now(), every: 10 * time.Second, format: "    %s\n"}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.every, p.format = time.Second, "\r    %s\033[K"
	}
	return p
}

// add notes that n more are done.
func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	now := time.Now()
	taken := now.Sub(p.started)
	if taken < 5*time.Second || now.Sub(p.shown) < p.every {
		return
	}
	p.write(now)
}

func (p *progress) write(now time.Time) {
	p.shown, p.last = now, p.done
	taken := now.Sub(p.started)
	line := fmt.Sprintf("%s: %d of %d, %.0f s", p.what, p.done, p.total, taken.Seconds())
	if p.done > 0 && p.done < p.total {
		left := taken * time.Duration(p.total-p.done) / time.Duration(p.done)
		line += fmt.Sprintf(", about %.0f s to go", left.Seconds())
	}
	_, _ = fmt.Fprintf(p.w, p.format, line) // a line that cannot be shown is no reason to stop
}

// finish says how long it took, if anything was said before.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown.IsZero() {
		return
	}
	if p.last < p.done {
		p.write(time.Now())
	}
	if p.every == time.Second {
		_, _ = fmt.Fprintln(p.w) // as above
	}
}
