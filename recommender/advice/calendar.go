package advice

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// aDay is how often what has no date is read again.
const aDay = 24 * time.Hour

// calendar is what the passing of time changes in the question "what is ahead?". It is empty for most evidence on most days:
//
//   - the last occurrence of each typed event that begins in the horizon;
//   - for a text that names dates, the last of them that lies in the horizon, all of that day. An answer can only name days of the
//     horizon, so each named day is asked about when it comes in. That a day or an event is over is no reason to ask;
//   - the day, for what only reads right on the day: texts without a date ("every Friday", "soon"), and what is going on now
//     (events, signals, throttling, an autoscaler at its maximum), because an answer to that ends after some hours or days.
//
// Midnight is not the same moment for all: each workload's clock here is late, by a part of a day that follows from its name, so that
// what a thousand workloads have to be asked anew is spread over the day. Days that come into the horizon are noticed at most half
// of the time late that the horizon has beyond one day.
func calendar(e Evidence) []string {
	var out []string
	late := spread(e.Workload)
	end := e.Now.Add(e.Horizon).Add(-time.Duration(late * float64(min(aDay, max(0, e.Horizon-aDay))) / 2))
	daily := len(e.Events) > 0 || len(e.Signals) > 0 || len(e.Throttling) > 0
	if newest, found := lastScaling(e); found && newest.AtMaximum {
		daily = true
	}
	for _, n := range e.Annotations {
		if n.Event != nil {
			if last, found := lastBegun(*n.Event, end); found {
				out = append(out, n.ID+" "+stamp(last))
			}
			continue
		}
		named := slices.DeleteFunc(dates(tokens(Clean(n.Text, maxTextRunes))), func(d date) bool { return d.vague })
		if len(named) == 0 {
			daily = true
			continue
		}
		if last, found := lastNamed(named, end); found {
			out = append(out, n.ID+" "+last.Format(dayLayout))
		}
	}
	if daily {
		today := day(e.Now.Add(-time.Duration(late * float64(aDay))))
		out = append(out, "read on "+today.Format(dayLayout))
	}
	return out
}

// lastBegun returns when the last occurrence of a typed event begins that begins before the given time. It looks back one range.
func lastBegun(event TypedEvent, end time.Time) (last time.Time, found bool) {
	starts, err := event.occurrences(end.Add(-maxRange), end) // Rules reports the error.
	if err != nil || len(starts) == 0 {
		return time.Time{}, false
	}
	return starts[len(starts)-1], true
}

// lastNamed returns the last day that the dates name, alone or as a part of a range, and that is over at the given time. It looks back
// one range; what is older is over.
func lastNamed(named []date, end time.Time) (last time.Time, found bool) {
	newest := day(end).Add(-aDay)
	for _, r := range ranges(named, end, 0, 0) {
		d := r.until.Add(-aDay)
		if d.After(newest) {
			d = newest
		}
		if r.holds(d) && end.Sub(d) <= maxRange && (!found || d.After(last)) {
			last, found = d, true
		}
	}
	return last, found
}

// lastScaling returns the newest step of an autoscaler, false where there is none.
func lastScaling(e Evidence) (newest Scaling, found bool) {
	if len(e.Scalings) == 0 {
		return Scaling{}, false
	}
	return slices.MaxFunc(e.Scalings, func(a, b Scaling) int { return a.Time.Compare(b.Time) }), true
}

// spread returns a number from 0 to 1, 1 excluded, that is always the same for the same name.
func spread(name string) float64 {
	sum := sha256.Sum256([]byte(name))
	return float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
}

func day(t time.Time) time.Time { return t.UTC().Truncate(aDay) }
