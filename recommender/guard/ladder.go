package guard

import (
	"fmt"
	"time"
)

// Steps of the history ladder, in hours with a measurement. They are choices: three hours show something, a day shows
// every hour once, a week every weekday, two weeks every weekday twice.
const (
	hoursToShow        = 3
	hoursToRaise       = 24
	hoursToLowerCPU    = 7 * 24
	hoursToLowerMemory = 14 * 24
)

// ladder allows what the length of the history supports:
//
//	< 3 h     nothing
//	3–24 h    shown, not applied
//	≥ 24 h    raising
//	≥ 7 d     lowering cpu
//	≥ 14 d    lowering memory
//
// What is in force stays in force below 24 h, so that a lost history takes nothing away, and a raise after an out-of-memory
// kill passes at any time. A new image restarts the clock for lowering only: it may need more than the one before.
func ladder(d *draft) {
	d.each(func(s *size, a *amount) {
		if a.target == 0 || a.pinned {
			return
		}
		if d.in.Batch {
			d.ladderOfRuns(s, a)
			return
		}
		have := fmt.Sprintf("there are %d h of history", a.hours)
		switch {
		case a.hours < hoursToShow:
			why := fmt.Sprintf("%s, %d are needed to say anything", have, hoursToShow)
			if !d.holdBack(a, "ladder", why) {
				d.drop(a, "ladder", why)
			}
		case a.hours < hoursToRaise:
			why := fmt.Sprintf("%s, %d are needed to apply it", have, hoursToRaise)
			if !d.holdBack(a, "ladder", why) {
				a.unready = "ladder"
				d.because(a.container, "ladder", a.name+" may not be applied yet: "+why)
			}
		default:
			d.lowerLater(s, a)
		}
	})
}

// Steps of the ladder of a batch workload, in runs with a measurement.
const (
	runsToApply = 3
	runsToLower = 10
)

// ladderOfRuns allows what the number of runs supports:
//
//	< 3 runs    nothing
//	< 10 runs   raising
//	≥ 10 runs   lowering, if as many were of the present image
func (d *draft) ladderOfRuns(s *size, a *amount) {
	if len(a.runs) < runsToApply {
		why := fmt.Sprintf("%d runs were measured, %d are needed to say anything", len(a.runs), runsToApply)
		if !d.holdBack(a, "ladder", why) {
			d.drop(a, "ladder", why)
		}
		return
	}
	ofImage, since := 0, d.imageSince(s.container)
	for _, run := range a.runs {
		if !run.Before(since) {
			ofImage++
		}
	}
	if ofImage < runsToLower {
		d.raiseOnly(a, "ladder", fmt.Sprintf("%d runs of this image were measured, %d are needed to lower it", ofImage, runsToLower))
	}
}

// lowerLater forbids lowering until the history and the age of the image allow it.
func (d *draft) lowerLater(s *size, a *amount) {
	needed := hoursToLowerCPU
	if a == s.memory {
		needed = hoursToLowerMemory
	}
	if a.hours < needed {
		d.raiseOnly(a, "ladder", fmt.Sprintf("there are %d h of history, %d are needed to lower it", a.hours, needed))
		return
	}
	since := d.imageSince(s.container)
	if since.IsZero() {
		return
	}
	if age := d.in.Now.Sub(since); age < time.Duration(needed)*time.Hour {
		d.raiseOnly(a, "ladder", fmt.Sprintf("the image is %d h old, %d are needed to lower it", max(0, int(age.Hours())), needed))
	}
}

// imageSince returns when the container's image changed last; zero if it never did while we looked. The image that is
// there at the first look is not a change, so that a history of weeks counts from the first day.
func (d *draft) imageSince(c Container) time.Time {
	known, seen := d.in.Memory.Containers[c.Name]
	if seen && known.Image != "" && known.Image != c.Image {
		return d.in.Now
	}
	return known.ImageSince
}
