package advice

import (
	"slices"
	"time"
)

// date is a date that a text names.
type date struct {
	// year is 0 where the text names none, day is 0 where it means the whole month.
	year, month, day int
	// vague dates might be something else: 11/27 could be a fraction, 1.5 a factor, and 3/4 the third of April.
	vague bool
}

// dates returns the dates that a text names: 2026-11-27, 27.11.2026, 11/27, 27 November, Nov 27–30, 11月11日, 11월, 双11 and
// the like. A day without month, "tomorrow" and "next Friday" are no dates: an annotation does not say when it was written.
func dates(all []token) []date {
	var out []date
	for i := range all {
		r := reader{all: all, at: i}
		switch {
		case r.number(0) && r.yearAt(0):
			out = append(out, r.yearFirst()...)
		case r.number(0):
			out = append(out, r.numeric()...)
			out = append(out, r.monthMark()...)
		case oneOf("tháng thang เดือน", r.text(0)) && r.monthAt(1):
			out = append(out, r.around(r.value(1), 1)...)
		case r.text(0) == "双" && r.monthAt(1): // 双11, "Double Eleven".
			out = append(out, date{month: r.value(1), day: r.value(1)})
		default:
			if month := lookUp(monthNames, r.text(0)); month > 0 {
				out = append(out, r.around(month, 0)...)
			}
		}
	}
	return out
}

// reader looks at tokens relative to one of them.
type reader struct {
	all []token
	at  int
}

func (r reader) token(offset int) token {
	if i := r.at + offset; i >= 0 && i < len(r.all) {
		return r.all[i]
	}
	return token{}
}

func (r reader) text(offset int) string   { return r.token(offset).text }
func (r reader) number(offset int) bool   { return r.token(offset).isNumber() }
func (r reader) value(offset int) int     { return r.token(offset).number }
func (r reader) between(o, a, b int) bool { return r.number(o) && r.value(o) >= a && r.value(o) <= b }
func (r reader) monthAt(offset int) bool  { return r.between(offset, 1, 12) }
func (r reader) dayAt(offset int) bool {
	return r.between(offset, 1, 31) && r.token(offset).digits <= 2
}

func (r reader) yearAt(offset int) bool {
	return r.between(offset, minYear, maxYear) && r.token(offset).digits == 4
}

// yearFirst reads 2026-11-27, 2026/11, 2026年11月27日 and the like.
func (r reader) yearFirst() []date {
	if !oneOf("- / . 年 년", r.text(1)) || !r.monthAt(2) {
		return nil
	}
	d := date{year: r.value(0), month: r.value(2)}
	if oneOf("- / . 月 월", r.text(3)) && r.dayAt(4) {
		d.day = r.value(4)
	}
	return []date{d}
}

// numeric reads 27.11.2026, 11/27/2026, 27.11. and 11/27, in both orders where both are possible.
func (r reader) numeric() []date {
	mark := r.text(1)
	joined := oneOf("/ . -", mark) && r.token(1).glued && r.number(2) && r.token(2).glued
	if !joined || r.insideDate(mark) {
		return nil
	}
	d := r.behind(mark)
	if d.year == 0 && mark == "-" { // 27-30 is a range.
		return nil
	}
	return slices.Concat(r.inOrder(d, 0, 2), r.inOrder(d, 2, 0))
}

// behind reads what follows the two numbers of a date: a year, or the dot that makes a date of 27.11. and not of 1.5.2.
func (r reader) behind(mark string) date {
	if r.text(3) == mark && r.yearAt(4) {
		return date{year: r.value(4)}
	}
	dotted := mark == "." && r.text(3) == "." && r.token(3).glued && !r.number(4)
	return date{vague: !dotted}
}

// inOrder completes a date with the day and the month at two offsets, where there are such.
func (r reader) inOrder(d date, day, month int) []date {
	if !r.dayAt(day) || !r.monthAt(month) {
		return nil
	}
	d.day, d.month = r.value(day), r.value(month)
	return []date{d}
}

// insideDate reports whether a number is not the first part of a date: 11 in 27.11.2026. In 27/11-30/11 a second one begins.
func (r reader) insideDate(mark string) bool {
	before := r.text(-1)
	return r.token(0).glued && (oneOf("/ .", before) || before == "-" && mark == "-")
}

// monthMark reads 11月11日, 11月11日至13日, 11月, 11월 11일 and the like.
func (r reader) monthMark() []date {
	if !r.monthAt(0) || !oneOf("月 월", r.text(1)) {
		return nil
	}
	d := date{month: r.value(0)}
	if oneOf("年 년", r.text(-1)) && r.token(-2).digits == 4 {
		d.year = r.value(-2)
	}
	if !r.dayAt(2) {
		return []date{d}
	}
	d.day = r.value(2)
	out := []date{d}
	next := 3
	if oneOf("日 号 號 일", r.text(next)) {
		next++
	}
	if oneOf(toWords, r.text(next)) && r.dayAt(next+1) && !oneOf("月 월", r.text(next+2)) {
		d.day = r.value(next + 1)
		out = append(out, d)
	}
	return out
}

// around reads the day, or the two ends of a range of days, beside a month's name that ends at offset end: 27 November, 27th of
// Nov, 27.–30. November, Nov 27–30, with or without a year.
func (r reader) around(month, end int) []date {
	days, from := r.daysBefore()
	until := end + 1
	if len(days) == 0 {
		days, until = r.daysAfter(end + 1)
	}
	d := date{month: month}
	for _, o := range []int{end + 1, end + 2, until, until + 1, from - 1} {
		if r.yearAt(o) {
			d.year = r.value(o)
			break
		}
	}
	if len(days) == 0 {
		d.vague = d.year == 0 && oneOf(manyMeanings, r.text(0))
		return []date{d}
	}
	var out []date
	for _, d.day = range days {
		out = append(out, d)
	}
	return out
}

// daysBefore returns the days before a month, and the offset of the first token that it read.
func (r reader) daysBefore() (days []int, offset int) {
	o := r.skip(beforeMonth, -1, -1)
	if !r.dayAt(o) {
		return nil, 0
	}
	days = append(days, r.value(o))
	if oneOf(toWords, r.text(o-1)) {
		if first := r.skip(beforeMonth, o-2, -1); r.dayAt(first) {
			return append(days, r.value(first)), first
		}
	}
	return days, o
}

// daysAfter does the same behind a month, and returns the offset behind the last token that it read. "Nov 3 times" names no day.
func (r reader) daysAfter(from int) (days []int, offset int) {
	o := r.skip(afterMonth, from, 1)
	if !r.dayAt(o) || oneOf("% x × times mal fach fois veces", r.text(o+1)) {
		return nil, from
	}
	days, o = append(days, r.value(o)), r.skip(beforeMonth, o+1, 1)
	if oneOf(toWords, r.text(o)) && r.dayAt(o+1) && lookUp(monthNames, r.text(r.skip(beforeMonth, o+2, 1))) == 0 {
		return append(days, r.value(o+1)), o + 2
	}
	return days, o
}

// skip goes over at most two of the marks, from an offset on, and returns the offset behind them.
func (r reader) skip(marks string, offset, step int) int {
	for range 2 {
		if !oneOf(marks, r.text(offset)) {
			break
		}
		offset += step
	}
	return offset
}

// Local dates reach from 14 hours before to 12 hours after the same day in UTC; a day before and half a day after covers that.
const (
	beforeDate = 24 * time.Hour
	afterDate  = 12 * time.Hour
)

// span returns when a date begins and ends in UTC, in the given year.
func (d date) span(year int) (from, until time.Time) {
	from = time.Date(year, time.Month(d.month), max(d.day, 1), 0, 0, 0, 0, time.UTC)
	if d.day == 0 {
		return from, from.AddDate(0, 1, 0)
	}
	return from, from.AddDate(0, 0, 1)
}
