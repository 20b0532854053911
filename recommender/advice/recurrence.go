package advice

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/teambition/rrule-go"
)

// calendarCycle is how many years ahead recurrences are computed. The calendar repeats every 400 years, weekdays included.
// The library looks for the next occurrence up to the year 9999, which takes long for a rule without any, such as 30 February;
// 7,600 years later that end is near and the answer is the same.
const calendarCycle = 19 * 400

// Years that an event may start in, so that the shifted calendar stays inside the library's.
const minYear, maxYear = 2000, 2100

// occurrences returns the starts of the windows that meet [from, until), in order, at most maxOccurrences. Times of day are
// those of the first occurrence in its own zone, usually UTC: daylight saving does not move them.
func (e TypedEvent) occurrences(from, until time.Time) ([]time.Time, error) {
	length := e.End.Sub(e.Start)
	if length <= 0 {
		return nil, fmt.Errorf("it ends at %s, which is not after its start at %s", e.End.Format(time.RFC3339), e.Start.Format(time.RFC3339))
	}
	meets := func(start time.Time) bool { return start.Before(until) && start.Add(length).After(from) }
	if e.Recurrence == "" {
		if meets(e.Start) {
			return []time.Time{e.Start}, nil
		}
		return nil, nil
	}
	rule, err := e.rule()
	if err != nil {
		return nil, fmt.Errorf("recurrence %q: %w", e.Recurrence, err)
	}
	var found []time.Time
	for next := rule.Iterator(); len(found) < maxOccurrences; {
		shifted, more := next()
		if !more {
			break
		}
		start := shifted.AddDate(-calendarCycle, 0, 0)
		if !start.Before(until) {
			break
		}
		if meets(start) {
			found = append(found, start)
		}
	}
	return found, nil
}

// rule parses the recurrence, calendarCycle years ahead, and refuses what would take long or what the library panics on.
func (e TypedEvent) rule() (*rrule.RRule, error) {
	if year := e.Start.Year(); year < minYear || year > maxYear {
		return nil, fmt.Errorf("the first occurrence must lie between the years %d and %d", minYear, maxYear)
	}
	option, err := rrule.StrToROption(e.Recurrence)
	if err != nil {
		return nil, err
	}
	odd := func(d rrule.Weekday) bool { return d.N() < -5 || d.N() > 5 }
	switch {
	case option.Freq > rrule.DAILY:
		return nil, errors.New("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
	case option.Interval < 0 || option.Interval > 366:
		return nil, errors.New("INTERVAL must be from 1 to 366")
	case slices.ContainsFunc(option.Byweekday, odd):
		return nil, errors.New("BYDAY must name weeks from -5 to 5")
	case len(option.Byhour)+len(option.Byminute)+len(option.Bysecond)+len(option.Byyearday)+len(option.Byweekno)+len(option.Byeaster) > 0:
		return nil, errors.New("only INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS are legal beside FREQ")
	}
	option.Dtstart = e.Start.AddDate(calendarCycle, 0, 0)
	if !option.Until.IsZero() {
		option.Until = option.Until.AddDate(calendarCycle, 0, 0)
	}
	return rrule.NewRRule(*option)
}
