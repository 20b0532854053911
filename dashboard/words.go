package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/report"
)

// change is an amount now and as recommended.
type change struct {
	// Now and Then are texts; Then is empty where nothing is recommended or nothing changes.
	Now, Then string
	// Lower and Higher say which way it goes.
	Lower, Higher bool
}

func changeOf(now, then *resource.Quantity, render func(*resource.Quantity) string) change {
	switch {
	case now == nil && then == nil:
		return change{Now: "–"}
	case now == nil:
		return change{Now: "none", Then: render(then), Higher: true}
	case then == nil || now.Cmp(*then) == 0:
		return change{Now: render(now)}
	default:
		return change{Now: render(now), Then: render(then), Lower: now.Cmp(*then) > 0, Higher: now.Cmp(*then) < 0}
	}
}

func podsChange(now, then *int32) change {
	switch {
	case now == nil:
		return change{Now: "–"}
	case then == nil || *then == *now:
		return change{Now: strconv.Itoa(int(*now))}
	default:
		return change{Now: strconv.Itoa(int(*now)), Then: strconv.Itoa(int(*then)), Lower: *then < *now, Higher: *then > *now}
	}
}

// coresText renders cores with three or more digits that count, such as 6.21, 62.1 and 6 210.
func coresText(cores float64) string {
	switch size := math.Abs(cores); {
	case size >= 99.95:
		return grouped(int(math.Round(cores)))
	case size >= 9.995:
		return report.Cores(math.Round(cores*10) / 10)
	default:
		return report.Cores(cores)
	}
}

// bytesText renders memory over many pods, such as 512 MiB, 62.1 GiB or 4.1 TiB.
func bytesText(bytes float64) string {
	const gibibyte = 1 << 30
	switch size := math.Abs(bytes); {
	case size >= 1024*gibibyte:
		return coresText(bytes/1024/gibibyte) + "\u00a0TiB"
	case size >= gibibyte:
		return coresText(bytes/gibibyte) + "\u00a0GiB"
	default:
		return grouped(int(bytes/(1<<20))) + "\u00a0MiB"
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") }

// ago renders how long something is past, or how far ahead it is.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	if d >= 0 && d < time.Minute {
		return "just now"
	}
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// span renders a duration in its largest whole unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour")
	default:
		return count(int(d/(24*time.Hour)), "day")
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(n) + " " + what + "s"
}

// grouped renders a number with spaces between thousands, such as 12 345.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && digits[i-1] != '-' && (len(digits)-i)%3 == 0 {
			b.WriteString("\u202f")
		}
		b.WriteRune(d)
	}
	return b.String()
}

func percent(share float64) string { return fmt.Sprintf("%.0f\u00a0%%", share*100) }

// compareAmounts puts what is not known last.
func compareAmounts(a, b *resource.Quantity) int {
	switch {
	case a != nil && b != nil:
		return a.Cmp(*b)
	case a != nil:
		return -unknownLast
	case b != nil:
		return unknownLast
	default:
		return 0
	}
}

func deref(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}
