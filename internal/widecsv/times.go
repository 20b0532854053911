package widecsv

import (
	"fmt"
	"strconv"
	"time"
)

// latestUnix is where seconds since 1970 are more likely milliseconds: the year 5138.
const latestUnix = 100_000_000_000

// time takes the time of a row and holds it against the one before.
func (p *parser) time(cell string) error {
	t, err := parseTime(cell)
	if err != nil {
		return err
	}
	switch n := len(p.times); {
	case n == 0:
		p.table.Start = t
	case t.Before(p.times[n-1]):
		return fmt.Errorf("%s is not later than the row before; rows have to be in the order of time", quote(cell))
	}
	p.times = append(p.times, t)
	return nil
}

// parseTime returns a time in UTC.
func parseTime(cell string) (time.Time, error) {
	for _, layout := range [...]string{time.RFC3339, time.DateTime} {
		if t, err := time.Parse(layout, cell); err == nil {
			return t.UTC(), nil
		}
	}
	if seconds, err := strconv.ParseInt(cell, 10, 64); err == nil && seconds >= 0 && seconds < latestUnix {
		return time.Unix(seconds, 0).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%s is not a time; legal are 2006-01-02T15:04:05Z (RFC 3339), 2006-01-02 15:04:05 in UTC, and whole seconds since 1970",
		quote(cell))
}
