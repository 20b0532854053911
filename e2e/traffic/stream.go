package traffic

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Stream creates pods without a pause until it is stopped.
type Stream struct {
	stop    context.CancelFunc
	streams sync.WaitGroup

	mu    sync.Mutex
	tally Tally
	// recent is how many pods were injected since the last one that was not.
	recent int
	// first and last are when the first and the last pod were created as they were written.
	first, last time.Time
}

// Start begins a stream of pods of the wave's kind, AtOnce at the same time; Pods is of no account. The context bounds it.
func (w Wave) Start(ctx context.Context, c client.Client) *Stream {
	running, stop := context.WithCancel(ctx)
	s := &Stream{stop: stop}
	for range w.AtOnce {
		s.streams.Go(func() {
			for running.Err() == nil {
				pod, begin := w.pod(), time.Now()
				err := c.Create(ctx, pod) // not the context that Stop ends: no pod is given up half way
				now := time.Now()
				s.mu.Lock()
				before := s.tally.Injected
				s.tally.add(pod, err, now.Sub(begin))
				if s.tally.Injected > before {
					s.recent++
				} else {
					s.recent, s.last = 0, now
					if s.first.IsZero() {
						s.first = now
					}
				}
				s.mu.Unlock()
			}
		})
	}
	return s
}

// Recent returns how many pods were injected since the last one that was not.
func (s *Stream) Recent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recent
}

// Pods returns how many pods were created so far.
func (s *Stream) Pods() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally.Injected + s.tally.AsWritten
}

// Stop waits for the last pod and returns what became of all of them, and how long it was from the first to the last pod that
// was not injected.
func (s *Stream) Stop() (all Tally, gap time.Duration) {
	s.stop()
	s.streams.Wait()
	return s.tally, s.last.Sub(s.first)
}
