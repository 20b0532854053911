package plan

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// openings are the windows that one plan has looked at: thousands of pods share a policy, and a time zone is read from a file.
type openings map[v1alpha1.Window]opening

// opening is when a window that contains the time of the plan opened, or the zero time, or why it cannot be read.
type opening struct {
	start time.Time
	err   error
}

func (o openings) at(now time.Time, window v1alpha1.Window) (time.Time, error) {
	known, ok := o[window]
	if !ok {
		known.start, known.err = lastStart(now, window)
		o[window] = known
	}
	return known.start, known.err
}

// open reports whether now, the same in every call, lies in one of the windows. No windows means always; a window that cannot be
// read is never open, and the reason says why. The start belongs to a window, its end does not.
func (o openings) open(now time.Time, windows []v1alpha1.Window) (open bool, reason string) {
	if len(windows) == 0 {
		return true, ""
	}
	reason = fmt.Sprintf("outside the policy's %d windows", len(windows))
	for i, window := range windows {
		start, err := o.at(now, window)
		switch {
		case err != nil:
			reason = fmt.Sprintf("window %d of the policy cannot be read: %v", i+1, err)
		case !start.IsZero():
			return true, ""
		}
	}
	return false, reason
}

// mostClockChange is more than clocks are ever put forward or back at once.
const mostClockChange = 3 * time.Hour

// lastStart is when a window that contains now opened, or the zero time.
//
// The schedule is read as a clock on the wall of the time zone shows it. A time that clocks skip when they are put forward counts
// as if they had not been yet: 02:30 is 03:30 in that night, and the window opens. A time that they show twice when they are
// put back counts the first time only. The duration is always that of a stopwatch.
func lastStart(now time.Time, window v1alpha1.Window) (time.Time, error) {
	location, err := time.LoadLocation(window.TimeZone) // "" is UTC
	if err != nil {
		return time.Time{}, fmt.Errorf("time zone: %w", err)
	}
	schedule, err := cron.ParseStandard(window.Start)
	if err != nil {
		return time.Time{}, fmt.Errorf("start: %w", err)
	}
	latest := onTheWall(now, location).Add(mostClockChange)
	shown := onTheWall(now.Add(-window.Duration.Duration), location).Add(-mostClockChange)
	for {
		shown = schedule.Next(shown)
		if shown.IsZero() || shown.After(latest) {
			return time.Time{}, nil
		}
		start := firstShowing(shown, location)
		if !start.After(now) && now.Sub(start) < window.Duration.Duration {
			return start, nil
		}
	}
}

// onTheWall is what a clock in the location shows at a time, as if it were UTC.
func onTheWall(t time.Time, location *time.Location) time.Time {
	_, offset := t.In(location).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// firstShowing is when a clock in the location first shows a time, or would have if clocks had not been put forward over it.
func firstShowing(shown time.Time, location *time.Location) time.Time {
	_, dayBefore := shown.Add(-24 * time.Hour).In(location).Zone()
	before := shown.Add(-time.Duration(dayBefore) * time.Second)
	_, afterwards := before.In(location).Zone()
	after := shown.Add(-time.Duration(afterwards) * time.Second)
	if !onTheWall(before, location).Equal(shown) && onTheWall(after, location).Equal(shown) {
		return after
	}
	return before
}
