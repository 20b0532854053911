package plan

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// windowOpen reports whether now lies in one of the windows. No windows means always; a window that cannot be read is
// never open, and the reason says why. The start belongs to a window, its end does not.
func windowOpen(now time.Time, windows []v1alpha1.Window) (open bool, reason string) {
	if len(windows) == 0 {
		return true, ""
	}
	reason = fmt.Sprintf("outside the policy's %d eviction windows", len(windows))
	for i, window := range windows {
		start, err := lastStart(now, window)
		switch {
		case err != nil:
			reason = fmt.Sprintf("eviction window %d of the policy cannot be read: %v", i+1, err)
		case !start.IsZero():
			return true, ""
		}
	}
	return false, reason
}

// lastStart is when the window that contains now opened, or the zero time.
func lastStart(now time.Time, window v1alpha1.Window) (time.Time, error) {
	location, err := time.LoadLocation(window.TimeZone) // "" is UTC
	if err != nil {
		return time.Time{}, fmt.Errorf("time zone: %w", err)
	}
	schedule, err := cron.ParseStandard(window.Start)
	if err != nil {
		return time.Time{}, fmt.Errorf("start: %w", err)
	}
	// The first start after now-duration is inside (now-duration, now] exactly when a window is open.
	start := schedule.Next(now.Add(-window.Duration.Duration).In(location))
	if start.IsZero() || start.After(now) {
		return time.Time{}, nil
	}
	return start, nil
}
