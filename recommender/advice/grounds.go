package advice

import (
	"fmt"
	"slices"
	"time"
)

// mostAnnounced is the largest demand that a text can announce, in percent: that of typed events. A larger number is a year, a
// port or a count.
const mostAnnounced = 2000

// refuseGrounds reports why what the adjustment cites does not carry it, or "".
//
// A Demand or an IgnoreHistory costs money and a Hold stops every rescue, so they need people's word: at least one annotation whose
// text fits. Events,
// rollouts and measurements anyone can cause, and what they say of the load the forecast has seen; they carry a NeverShrink only.
func (c checker) refuseGrounds(a Adjustment) string {
	if a.Kind == NeverShrink {
		return ""
	}
	why := fmt.Sprintf("a %s needs the word of a person, and no annotation is cited", a.Kind)
	for _, n := range c.evidence.Annotations {
		if !slices.Contains(a.Evidence, n.ID) {
			continue
		}
		refused := c.refuseAnnotation(n, a)
		if refused == "" {
			return ""
		}
		why = refused
	}
	return why
}

// refuseAnnotation reports why the annotation does not carry a Demand, a Hold or an IgnoreHistory, or "".
func (c checker) refuseAnnotation(n Annotation, a Adjustment) string {
	if n.Event != nil && a.Kind == IgnoreHistory {
		return fmt.Sprintf("event %q of %s is a demand and says nothing of the past", n.Event.Name, n.ID)
	}
	if n.Event != nil {
		return c.refuseTyped(n, a)
	}
	e := c.evidence
	words := tokens(Clean(n.Text, maxTextRunes))
	named := dates(words)
	switch {
	case meets(a.Start, named):
		return ""
	case slices.ContainsFunc(named, func(d date) bool { return !d.vague }):
		return fmt.Sprintf("the text of %s names dates, and none at which the window begins, %s", n.ID, stamp(a.Start))
	case a.Kind == IgnoreHistory:
		return fmt.Sprintf("the text of %s names no date of the past", n.ID)
	case a.Kind == Hold || announces(words, a.Percent, demandCap(e)):
		return ""
	}
	return fmt.Sprintf("the text of %s names neither a date of the window nor a demand of %d%%", n.ID, a.Percent)
}

// typedSlack is by how much a window may reach beyond a typed event: answers name whole hours.
const typedSlack = time.Hour

// refuseTyped holds an adjustment to what a typed event says: its percentage, and its windows.
func (c checker) refuseTyped(n Annotation, a Adjustment) string {
	if most := demandCap(c.evidence); a.Kind == Demand && min(a.Percent, most) != min(n.Event.DemandPercent, most) {
		return fmt.Sprintf("event %q of %s says %d%%, not %d%%", n.Event.Name, n.ID, n.Event.DemandPercent, a.Percent)
	}
	starts, looked := c.starts[n.ID]
	if !looked {
		starts, _ = n.Event.occurrences(c.evidence.Now, c.evidence.Now.Add(c.evidence.Horizon)) // Rules reports the error.
		c.starts[n.ID] = starts
	}
	length := n.Event.End.Sub(n.Event.Start)
	if !slices.ContainsFunc(starts, func(start time.Time) bool {
		return !a.Start.Before(start.Add(-typedSlack)) && !a.End.After(start.Add(length+typedSlack))
	}) {
		return fmt.Sprintf("event %q of %s is not at the time of the window", n.Event.Name, n.ID)
	}
	return ""
}

// announces reports whether one of the numbers in a text can mean this demand: 300 and 3 mean 300 %, and so do 200 and 2 where
// they are what is added. Beyond the policy's cap all demands are one.
func announces(words []token, percent, most int32) bool {
	for _, hundredths := range numbers(words) {
		if hundredths <= 100 {
			continue // "1" and "once" say nothing of demand.
		}
		for _, c := range []int{hundredths / 100, hundredths, hundredths/100 + plainPercent, hundredths + plainPercent} {
			if c > plainPercent && c <= mostAnnounced && min(int32(c), most) == min(percent, most) {
				return true
			}
		}
	}
	return false
}

// maxRange is the longest time between two dates of a text that can be the ends of one window.
const maxRange = maxWindow

// meets reports whether a window that starts at the given time starts on one of the dates, wherever on Earth they were meant, or
// between two of them that can be the ends of a range.
func meets(start time.Time, named []date) bool {
	return slices.ContainsFunc(ranges(named, start, beforeDate, afterDate), func(r interval) bool { return r.holds(start) })
}

// interval is a time from until, which is not in it.
type interval struct{ from, until time.Time }

func (i interval) holds(t time.Time) bool { return !t.Before(i.from) && t.Before(i.until) }

// ranges returns the dates as intervals, and what lies between two of them that can be the ends of one range: from so long before
// the day in UTC begins until so long after it ends. A date without a year is of any year near the given time.
func ranges(named []date, near time.Time, before, after time.Duration) []interval {
	var days []interval
	for _, d := range named {
		years := []int{d.year}
		if d.year == 0 {
			years = []int{near.Year() - 1, near.Year(), near.Year() + 1}
		}
		for _, year := range years {
			from, until := d.span(year)
			days = append(days, interval{from.Add(-before), until.Add(after)})
		}
	}
	var out []interval
	for _, first := range days {
		for _, last := range days {
			if !last.until.Before(first.from) && last.until.Sub(first.from) <= maxRange+before+after {
				out = append(out, interval{first.from, last.until})
			}
		}
	}
	return out
}
