package v1alpha1

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds of an event.
const (
	// MaxEventWindow is the longest window of one occurrence.
	MaxEventWindow = 31 * 24 * time.Hour
	// MaxDemandPercent is the largest demand, in percent of the forecast. A policy may cap it lower.
	MaxDemandPercent = 2000

	minEventYear, maxEventYear = 2000, 2100
	maxRecurrenceLength        = 200
	maxRecurrenceInterval      = 366
)

// What is legal, in words.
const (
	legalEventName = "an event name of 1 to 40 lower case letters, digits and '-' in the key"
	legalEvent     = "<start>/<end> demand=<n>% [recurrence=<rule>], such as " +
		"2026-11-27T00:00:00Z/2026-11-30T00:00:00Z demand=300% recurrence=FREQ=YEARLY"
	legalWindow = "two times as in 2026-11-27T00:00:00Z (or with an offset such as +01:00), in whole seconds and between the " +
		"years 2000 and 2100, separated by a slash, the end after the start and at most 31 days later"
	legalDemand     = "demand=<n>%, once, with a whole number from 1 to 2000: 300% is three times the forecast"
	legalRecurrence = "recurrence=<rule>, once, with an RFC 5545 rule of at most 200 characters: FREQ=DAILY, WEEKLY, MONTHLY " +
		"or YEARLY, then any of INTERVAL (1 to 366), COUNT (at least 1), UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY (weeks -5 to 5), BYSETPOS"
)

var eventName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// parseEvent reads the value of an event annotation:
//
//	value      = window " demand=" percent "%" [ " recurrence=" rule ]
//	window     = start "/" end                 RFC 3339 times in whole seconds; end is exclusive
//	percent    = 1 … 2000
//	rule       = RFC 5545 RRULE without the prefix "RRULE:"
//
// demand and recurrence may come in either order; any white space separates the parts.
func parseEvent(name, value string, into *Settings) (legal string) {
	if !eventName.MatchString(name) {
		return legalEventName
	}
	parts := strings.Fields(value)
	if len(parts) < 2 || len(parts) > 3 {
		return legalEvent
	}
	e := Event{Name: name}
	if legal := parseWindow(parts[0], &e); legal != "" {
		return legal
	}
	for _, part := range parts[1:] {
		key, setting, _ := strings.Cut(part, "=")
		switch {
		case key == "demand" && e.DemandPercent == 0:
			legal = parseDemand(setting, &e)
		case key == "recurrence" && e.Recurrence == "":
			legal = parseRecurrence(setting, &e)
		default:
			legal = legalEvent
		}
		if legal != "" {
			return legal
		}
	}
	if e.DemandPercent == 0 {
		return legalDemand
	}
	into.Events = append(into.Events, e)
	return ""
}

func parseWindow(value string, into *Event) string {
	from, until, _ := strings.Cut(value, "/")
	start, okStart := parseTime(from)
	end, okEnd := parseTime(until)
	if !okStart || !okEnd || !end.After(start) || end.Sub(start) > MaxEventWindow {
		return legalWindow
	}
	into.Start, into.End = start, end
	return ""
}

func parseTime(value string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, value)
	t = t.UTC()
	return t, err == nil && t.Nanosecond() == 0 && t.Year() >= minEventYear && t.Year() <= maxEventYear
}

func parseDemand(value string, into *Event) string {
	digits, isPercent := strings.CutSuffix(value, "%")
	percent, err := strconv.ParseUint(digits, 10, 16)
	if !isPercent || err != nil || percent < 1 || percent > MaxDemandPercent {
		return legalDemand
	}
	into.DemandPercent = int32(percent)
	return ""
}

// recurrenceParts are the parts of a rule that are accepted. Hours and seconds are left out on purpose: an occurrence starts
// at the time of day of the first one.
var recurrenceParts = []string{"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS"}

func parseRecurrence(value string, into *Event) string {
	parts, known := partsOf(value)
	if !known {
		return legalRecurrence
	}
	option, err := rrule.StrToROption(value)
	if err != nil {
		return fmt.Sprintf("%s (%v)", legalRecurrence, err)
	}
	if !withinBounds(option, parts) {
		return legalRecurrence
	}
	fits, recurs, err := checkRule(*option, into.Start)
	switch {
	case err != nil:
		return fmt.Sprintf("%s (%v)", legalRecurrence, err)
	case !fits:
		return "a recurrence whose first occurrence is the window itself: move the window, or change the rule"
	case !recurs:
		return "a recurrence that gives at least one more occurrence after the window; leave it out if there is none"
	}
	into.Recurrence = value
	return ""
}

// partsOf returns the names of a rule's parts, or false if it is too long, or a part is unknown or there twice.
func partsOf(rule string) ([]string, bool) {
	if len(rule) > maxRecurrenceLength {
		return nil, false
	}
	var parts []string
	for part := range strings.SplitSeq(rule, ";") {
		name, _, _ := strings.Cut(part, "=")
		if !slices.Contains(recurrenceParts, name) || slices.Contains(parts, name) {
			return nil, false
		}
		parts = append(parts, name)
	}
	return parts, true
}

// withinBounds refuses what the library would search for ages, or panic about: it does where a month is asked for its eighth
// Monday. The library also takes a 0 that was written for a part that was left out.
func withinBounds(option *rrule.ROption, parts []string) bool {
	if slices.Contains(parts, "INTERVAL") && (option.Interval < 1 || option.Interval > maxRecurrenceInterval) {
		return false
	}
	if slices.Contains(parts, "COUNT") && option.Count < 1 {
		return false
	}
	outOfMonth := func(d rrule.Weekday) bool { return d.N() < -5 || d.N() > 5 }
	return option.Freq <= rrule.DAILY && !slices.ContainsFunc(option.Byweekday, outOfMonth)
}

// checkRule reports whether a rule's first occurrence is its start, and whether there is another one after it. RFC 5545 leaves
// open what a start means that its own rule does not give.
//
// A rule that never matches, such as every 30 February, is searched by the library up to the year 9999. The calendar
// repeats every 400 years, weekdays included, so the question is asked 7,600 years later, where that end is at most 400
// years away.
func checkRule(option rrule.ROption, start time.Time) (fits, recurs bool, err error) {
	const later = 19 * 400
	option.Dtstart = start.AddDate(later, 0, 0)
	if !option.Until.IsZero() {
		option.Until = option.Until.AddDate(later, 0, 0)
	}
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return false, false, err
	}
	recurs = !rule.After(option.Dtstart, false).IsZero()
	return !recurs || rule.After(option.Dtstart, true).Equal(option.Dtstart), recurs, nil
}
