// Package breaker stops every change when the whole cluster gets worse, whether or not Loadline is the cause.
//
// The package is pure. Next takes what was counted and the state before, and returns the state after; keeping the state over a
// restart is its caller's work.
//
//	          a signal is high                 quiet for Wait
//	Closed ─────────────────────▶ Open ─────────────────────────▶ Trial
//	   ▲                           ▲                               │ │
//	   │                           └───── a signal is high ────────┘ │
//	   └──────────────────── quiet for Rules.Quiet ──────────────────┘
//
// A signal is high when it has reached its minimum, and three times what is usual in this cluster.
package breaker

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Signal is something that is counted in the whole cluster.
type Signal string

// Signals.
const (
	// OOMKills counts workloads with a container that was killed for lack of memory within Rules.Window, or with a pod that its node
	// evicted for it. One and the same want shows as either, by how fast it comes.
	OOMKills Signal = "oom-kills"
	// PendingPods counts workloads with a pod that no node has room for now.
	PendingPods Signal = "pending-pods"
	// UnsizedWorkloads have pods that came from admission without sizes within Rules.Window.
	UnsizedWorkloads Signal = "unsized-workloads"
	// ProbeFailures are admission round trips that failed within Rules.Window.
	ProbeFailures Signal = "probe-failures"
	// APITrouble are requests to the API server within Rules.Window that it could not answer, or not in time.
	APITrouble Signal = "api-trouble"
)

// Signals lists all of them, in the order in which they are reported.
func Signals() []Signal {
	return []Signal{OOMKills, PendingPods, UnsizedWorkloads, ProbeFailures, APITrouble}
}

// ofWorkloads reports whether the signal counts workloads; see Tally.
func (s Signal) ofWorkloads() bool {
	return s == OOMKills || s == PendingPods || s == UnsizedWorkloads
}

// words name what a signal counts.
func (s Signal) words() string {
	switch s {
	case OOMKills:
		return "workloads with containers killed for lack of memory, or pods evicted for it"
	case PendingPods:
		return "workloads with pods that no node has room for"
	case UnsizedWorkloads:
		return "workloads whose new pods came without sizes"
	case ProbeFailures:
		return "failed admission probes"
	case APITrouble:
		return "requests that the API server did not answer in time"
	default:
		return string(s)
	}
}

// Phase of the breaker.
type Phase string

// Phases.
const (
	// Closed: changes go on. The zero Phase means the same.
	Closed Phase = "Closed"
	// Open: nothing is changed.
	Open Phase = "Open"
	// Trial: a little is changed, to see whether the cluster bears it.
	Trial Phase = "Trial"
)

const (
	// rise is how many times the usual count makes a signal high.
	rise = 3
	// memory is how long the past counts: after this time a new level is usual to 63 %. A level that stays is accepted after
	// memory × ln(1 ÷ (1 − 1 ÷ rise)), about 2.5 hours, so that the breaker never stays open for good.
	memory = 6 * time.Hour
	// longestLook bounds what one look teaches. Nothing is learnt about the time in which nobody looked.
	longestLook = 10 * time.Minute
	// mostWaits is how many times Rules.Quiet the wait grows to after trials that failed.
	mostWaits = 16
)

// Rules say when the breaker opens and how it closes.
type Rules struct {
	// Window over which events are counted.
	Window time.Duration
	// Quiet is how long no signal may be high before a trial, and then again before the breaker closes.
	Quiet time.Duration
	// Minimum of each signal under which it is never high. A signal without one, or with 0, is not looked at.
	Minimum map[Signal]int
}

// Counts of each signal.
type Counts map[Signal]int

// Cause is a signal that was high.
type Cause struct {
	Signal Signal `json:"signal"`
	Count  int    `json:"count"`
	// Threshold that the count reached.
	Threshold int `json:"threshold"`
}

func sameSignal(a, b Cause) bool { return a.Signal == b.Signal }

// String tells the cause in words.
func (c Cause) String() string {
	return fmt.Sprintf("%d %s, %d or more stop everything", c.Count, c.Signal.words(), c.Threshold)
}

// State of the breaker. The zero State is that of a breaker that has not looked yet.
type State struct {
	Phase Phase `json:"phase,omitempty"`
	// Since when it has been in this phase.
	Since time.Time `json:"since,omitzero"`
	// Causes for which it opened last, or stayed open, in the order of Signals, as each set of signals was first seen.
	Causes []Cause `json:"causes,omitempty"`
	// LastHigh is when a signal was high for the last time.
	LastHigh time.Time `json:"lastHigh,omitzero"`
	// Wait is how long it has to be quiet before the next trial.
	Wait time.Duration `json:"wait,omitempty"`
	// Usual is what is counted in this cluster, as a decayed mean.
	Usual map[Signal]float64 `json:"usual,omitempty"`
	// Looked is when it last looked; zero means never.
	Looked time.Time `json:"looked,omitzero"`
}

// Next is the state after another look. What the very first look finds is usual: it was there before Loadline did anything. Times
// after now, of a clock that ran ahead, count as now: the breaker must not stay open until they have come.
func Next(now time.Time, s State, counts Counts, rules Rules) State {
	if s.Looked.IsZero() {
		s = first(now, counts)
	}
	s.Since, s.LastHigh, s.Looked = notAfter(now, s.Since), notAfter(now, s.LastHigh), notAfter(now, s.Looked)
	high := highSignals(s, counts, rules)
	s.Usual = learn(now, s, counts)
	s.Looked = now
	if len(high) > 0 {
		s.LastHigh = now
	}
	quiet := now.Sub(s.LastHigh)
	switch {
	case len(high) > 0 && s.Phase == Open:
		// The counts stay those that were seen first: the reason is in the status of every workload that waits.
		if !slices.EqualFunc(s.Causes, high, sameSignal) {
			s.Causes = high
		}
	case len(high) > 0:
		wait := rules.Quiet
		if s.Phase == Trial {
			wait = min(2*s.Wait, mostWaits*rules.Quiet)
		}
		s.Phase, s.Since, s.Causes, s.Wait = Open, now, high, wait
	case s.Phase == Open && quiet >= s.Wait:
		s.Phase, s.Since = Trial, now
	case s.Phase == Trial && now.Sub(s.Since) >= rules.Quiet:
		s.Phase, s.Since, s.Causes, s.Wait = Closed, now, nil, 0
	}
	return s
}

// notAfter is the time, or now if that is earlier.
func notAfter(now, t time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

func first(now time.Time, counts Counts) State {
	s := State{Phase: Closed, Since: now, Usual: map[Signal]float64{}}
	for _, signal := range Signals() {
		s.Usual[signal] = float64(max(0, counts[signal]))
	}
	return s
}

// Threshold is the count from which on a signal is high, or 0 if it is not looked at.
func (s State) Threshold(signal Signal, rules Rules) int {
	minimum := rules.Minimum[signal]
	if minimum <= 0 {
		return 0
	}
	return max(minimum, int(min(math.Ceil(rise*s.Usual[signal]), math.MaxInt32)))
}

func highSignals(s State, counts Counts, rules Rules) []Cause {
	var high []Cause
	for _, signal := range Signals() {
		if threshold := s.Threshold(signal, rules); threshold > 0 && counts[signal] >= threshold {
			high = append(high, Cause{Signal: signal, Count: counts[signal], Threshold: threshold})
		}
	}
	return high
}

// learn moves what is usual towards what is counted, by as much as the time since the last look is worth.
func learn(now time.Time, s State, counts Counts) map[Signal]float64 {
	look := min(max(0, now.Sub(s.Looked)), longestLook)
	weight := 1 - math.Exp(-look.Hours()/memory.Hours())
	usual := map[Signal]float64{}
	maps.Copy(usual, s.Usual)
	for _, signal := range Signals() {
		usual[signal] += weight * (float64(max(0, counts[signal])) - usual[signal])
	}
	return usual
}

// Reason says why the breaker is not closed; empty means it is.
func (s State) Reason() string {
	var causes []string
	for _, c := range s.Causes {
		causes = append(causes, c.String())
	}
	why := strings.Join(causes, "; ")
	switch s.Phase {
	case Open:
		return fmt.Sprintf("the circuit breaker is open since %s: %s", s.Since.UTC().Format(time.RFC3339), why)
	case Trial:
		return fmt.Sprintf("the circuit breaker tries a little since %s, after: %s", s.Since.UTC().Format(time.RFC3339), why)
	default:
		return ""
	}
}

// OnlyOOMKills reports whether the breaker is open for nothing but containers that ran out of memory. Raising their memory in
// place is then the cure, or replacing them where nobody is ready, and without it they go on being killed and the breaker stays open.
func (s State) OnlyOOMKills() bool {
	return s.Phase == Open && len(s.Causes) > 0 && !slices.ContainsFunc(s.Causes, func(c Cause) bool { return c.Signal != OOMKills })
}

// HasCause reports whether the signal is among those for which the breaker opened last, or stayed open.
func (s State) HasCause(signal Signal) bool {
	return slices.ContainsFunc(s.Causes, func(c Cause) bool { return c.Signal == signal })
}

// Validate says what is wrong with a state that was stored.
func (s State) Validate() error {
	if phase := cmp.Or(s.Phase, Closed); phase != Closed && phase != Open && phase != Trial {
		return fmt.Errorf("phase %q is not %s, %s or %s", s.Phase, Closed, Open, Trial)
	}
	for signal, usual := range s.Usual {
		if !(usual >= 0 && usual <= math.MaxInt32) { // Written so that NaN fails.
			return fmt.Errorf("usual %s of %v is not a count", signal, usual)
		}
	}
	if s.Wait < 0 {
		return fmt.Errorf("wait %s is negative", s.Wait)
	}
	return nil
}
