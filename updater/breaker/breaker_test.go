package breaker_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/updater/breaker"
)

var start = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

var rules = breaker.Rules{
	Window: 10 * time.Minute, Quiet: 10 * time.Minute,
	Minimum: map[breaker.Signal]int{breaker.OOMKills: 5, breaker.PendingPods: 10, breaker.ProbeFailures: 3},
}

// looks is a breaker that looks every 30 seconds.
type looks struct {
	now   time.Time
	state breaker.State
}

// see looks for so long, with the same counts each time.
func (l *looks) see(d time.Duration, counts breaker.Counts) breaker.Phase {
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(30 * time.Second) {
		l.state = breaker.Next(l.now, l.state, counts, rules)
	}
	return l.state.Phase
}

func kills(n int) breaker.Counts { return breaker.Counts{breaker.OOMKills: n} }

func TestTheBreakerOpensOnARiseAndClosesAfterAQuietTrial(t *testing.T) {
	l := &looks{now: start}
	steps := []struct {
		why    string
		d      time.Duration
		counts breaker.Counts
		want   breaker.Phase
	}{
		{"nothing happens", time.Hour, kills(0), breaker.Closed},
		{"fewer than count at all", time.Minute, kills(4), breaker.Closed},
		{"a rise", 30 * time.Second, kills(5), breaker.Open},
		{"quiet, not for long", 9 * time.Minute, kills(4), breaker.Open},
		{"quiet for ten minutes", 2 * time.Minute, kills(0), breaker.Trial},
		{"the trial goes wrong", 30 * time.Second, kills(6), breaker.Open},
		{"quiet for ten minutes, which is too short by now", 15 * time.Minute, kills(0), breaker.Open},
		{"quiet for twenty", 6 * time.Minute, kills(0), breaker.Trial},
		{"the trial goes well, so far", 8 * time.Minute, kills(0), breaker.Trial},
		{"the trial went well", 2 * time.Minute, kills(0), breaker.Closed},
		{"another signal", time.Minute, breaker.Counts{breaker.ProbeFailures: 3}, breaker.Open},
	}
	for _, s := range steps {
		if got := l.see(s.d, s.counts); got != s.want {
			t.Fatalf("%s: %s at %s, want %s", s.why, got, l.now.Sub(start), s.want)
		}
	}
	if got := l.state.Reason(); !strings.Contains(got, "3 failed admission probes, 3 or more stop everything") {
		t.Errorf("reason = %q, want it to say what was counted", got)
	}
}

func TestWhatIsUsualInAClusterIsNoRise(t *testing.T) {
	l := &looks{now: start}
	if got := l.see(24*time.Hour, kills(40)); got != breaker.Closed {
		t.Errorf("40 kills in every ten minutes since the first look: %s, want Closed", got)
	}
	if got := l.see(time.Minute, kills(119)); got != breaker.Closed {
		t.Errorf("not quite three times as many: %s, want Closed", got)
	}
	if got := l.see(time.Minute, kills(125)); got != breaker.Open {
		t.Errorf("three times as many: %s, want Open", got)
	}
}

func TestASignalWithoutAMinimumIsNotLookedAt(t *testing.T) {
	l := &looks{now: start}
	l.see(time.Hour, nil)
	if got := l.see(time.Hour, breaker.Counts{breaker.APITrouble: 1000}); got != breaker.Closed {
		t.Errorf("phase = %s, want Closed", got)
	}
}

func TestALongTimeInWhichNobodyLookedTeachesNothing(t *testing.T) {
	l := &looks{now: start}
	l.see(time.Hour, kills(0))
	l.now = l.now.Add(48 * time.Hour) // the updater was down, and comes back in the middle of an incident
	if got := l.see(30*time.Minute, kills(8)); got != breaker.Open {
		t.Errorf("phase = %s, want Open for as long as the incident lasts", got)
	}
}

func TestOnlyOOMKillsAreCuredWhileTheBreakerIsOpen(t *testing.T) {
	both := breaker.Counts{breaker.OOMKills: 9, breaker.PendingPods: 99}
	for name, c := range map[string]struct {
		counts breaker.Counts
		want   bool
	}{"kills alone": {kills(9), true}, "kills and pending pods": {both, false}, "nothing": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			l := &looks{now: start}
			l.see(time.Hour, nil)
			l.see(time.Minute, c.counts)
			if got := l.state.OnlyOOMKills(); got != c.want {
				t.Errorf("only kills = %v, want %v", got, c.want)
			}
		})
	}
}

func TestAClockThatRanAheadDoesNotKeepTheBreakerOpen(t *testing.T) {
	l := &looks{now: start.Add(48 * time.Hour)}
	l.see(time.Hour, nil)
	l.see(time.Minute, kills(9))
	l.now = start // the clock of another node, which is right
	if got := l.see(5*time.Minute, nil); got != breaker.Open {
		t.Fatalf("phase = %s after 5 quiet minutes, want Open", got)
	}
	if got := l.see(16*time.Minute, nil); got != breaker.Closed {
		t.Errorf("phase = %s after 21 quiet minutes, want Closed", got)
	}
}

func drawCounts(t *rapid.T) breaker.Counts {
	counts := breaker.Counts{}
	for _, s := range breaker.Signals() {
		counts[s] = rapid.IntRange(0, 60).Draw(t, string(s))
	}
	return counts
}

func TestHoweverCountsComeTheBreakerKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, state := start, breaker.State{}
		lastHigh, inTrial := time.Time{}, time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "seconds")) * time.Second)
			counts := drawCounts(t)
			before := state
			high := false
			for _, s := range breaker.Signals() {
				threshold := before.Threshold(s, rules)
				high = high || !before.Looked.IsZero() && threshold > 0 && counts[s] >= threshold
				if m := rules.Minimum[s]; m > 0 && threshold < m {
					t.Fatalf("threshold of %s is %d, under its minimum of %d", s, threshold, m)
				}
			}
			if high {
				lastHigh = now
			}
			state = breaker.Next(now, stored(t, before), counts, rules)
			switch {
			case high != state.LastHigh.Equal(now):
				t.Fatalf("high = %v, and the state says %v", high, state.LastHigh)
			case high && state.Phase != breaker.Open:
				t.Fatalf("%s although a signal is high: %v", state.Phase, counts)
			case before.Phase == breaker.Open && state.Phase == breaker.Closed:
				t.Fatal("closed without a trial")
			case before.Phase == breaker.Open && state.Phase == breaker.Trial && now.Sub(lastHigh) < rules.Quiet:
				t.Fatalf("a trial %s after a signal was high", now.Sub(lastHigh))
			case before.Phase == breaker.Trial && state.Phase == breaker.Closed && now.Sub(inTrial) < rules.Quiet:
				t.Fatalf("a trial of %s", now.Sub(inTrial))
			case (state.Phase == breaker.Closed) != (state.Reason() == ""):
				t.Fatalf("%s with reason %q", state.Phase, state.Reason())
			}
			if state.Phase == breaker.Trial && before.Phase != breaker.Trial {
				inTrial = now
			}
		}
		// Whatever the level is at which a cluster stays, the breaker accepts it within a day, and then stays closed.
		level := drawCounts(t)
		for range 2 * 24 * 60 {
			now = now.Add(30 * time.Second)
			state = breaker.Next(now, state, level, rules)
		}
		if state.Phase != breaker.Closed {
			t.Fatalf("still %s after a day of %v", state.Phase, level)
		}
	})
}

// stored is the state after a restart.
func stored(t *rapid.T, s breaker.State) breaker.State {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read breaker.State
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, read); diff != "" {
		t.Fatalf("state (-stored +read):\n%s", diff)
	}
	if err := read.Validate(); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestAStateThatSomebodyEditedIsRefused(t *testing.T) {
	for name, s := range map[string]breaker.State{
		"an unknown phase": {Phase: "Ajar"},
		"a negative count": {Usual: map[breaker.Signal]float64{breaker.OOMKills: -1}},
		"a negative wait":  {Wait: -1},
	} {
		if s.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestWhileTheBreakerIsOpenItsReasonChangesWithTheSignalsAndNotWithTheCounts(t *testing.T) {
	l := &looks{now: start}
	l.see(time.Hour, kills(0))
	l.see(time.Minute, kills(5))
	reason := l.state.Reason()
	for n := range 20 {
		l.see(30*time.Second, kills(5+n))
		if got := l.state.Reason(); got != reason {
			t.Fatalf("reason = %q after %q, which rewrites the status of every workload", got, reason)
		}
	}
	l.see(30*time.Second, breaker.Counts{breaker.OOMKills: 30, breaker.PendingPods: 12})
	if got := l.state.Reason(); !strings.Contains(got, "12 workloads") || l.state.OnlyOOMKills() {
		t.Errorf("reason = %q, want the signal that came to it", got)
	}
}

func TestAStoredStateWithoutWhatIsUsualIsNoPanic(t *testing.T) {
	state := breaker.Next(start, breaker.State{Phase: breaker.Open, Since: start, Looked: start}, kills(1), rules)
	if state.Phase == "" {
		t.Errorf("state = %+v", state)
	}
}
