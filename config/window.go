package config

import (
	"errors"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// CheckStart accepts the start of a window: a standard cron expression of five fields that happens at all.
func CheckStart(expression string) error {
	const fields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow
	if strings.Contains(expression, "=") {
		return errors.New("the time zone belongs into timeZone")
	}
	schedule, err := cron.NewParser(fields).Parse(expression)
	if err != nil {
		return err
	}
	leapYear := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC) // The parser looks five years ahead.
	if schedule.Next(leapYear).IsZero() {
		return errors.New("it does not happen in five years")
	}
	return nil
}

// CheckTimeZone accepts IANA names, and nothing for UTC. "Local" would be the zone of whichever machine reads it.
func CheckTimeZone(name string) error {
	if name == "Local" {
		return errors.New("it depends on the machine")
	}
	_, err := time.LoadLocation(name)
	return err
}
