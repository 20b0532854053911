package sizing

import (
	"fmt"
	"math"
)

// memorySize is the memory of one container.
type memorySize struct {
	targetBytes int64
	// peakBytes is the peak in the hours that the policy names, everBytes that of the whole history.
	peakBytes, everBytes int64
	oomRaised            bool
	leak                 leak
	trail                []string
}

// sizeMemory covers the largest pod of the hours that the policy names. Memory cannot be given back by a running process on
// request, and too little of it kills, so there is no quantile, no decay and no forecast: running pods get the target.
func sizeMemory(in Input, c ContainerInput, corrupt int) memorySize {
	var size memorySize
	current := c.Current.Requests.MemoryBytes
	sizedFrom := latestHours(c.MemoryHottest, in.Policy.Memory.PeakHours)
	highest, ok := peak(sizedFrom)
	if ok {
		ever, _ := peak(c.MemoryHottest)
		size.peakBytes, size.everBytes = int64(math.Ceil(highest)), int64(math.Ceil(ever))
		margin := in.Policy.Memory.Margin
		size.targetBytes = max(1, size.peakBytes, atLeast(highest*(1+margin)))
		size.say("the largest pod of the last %s had %s%s; plus %s margin: %s.",
			span(knownHours(sizedFrom)), bytesText(size.peakBytes), size.before(), percent(margin), bytesText(size.targetBytes))
	} else {
		size.say("no usable history.")
	}
	if size.leak = findLeak(c.MemoryHottest); size.leak.suspected || c.OOMEndless {
		size.targetBytes = max(1, size.peakBytes, current)
		sign := "it rises like a leak"
		if c.OOMEndless {
			sign = "it was raised by kills again and again, and is killed still"
		}
		size.say("%s, so no margin is added: the larger of the peak and the present request (%s), %s.",
			sign, bytesText(current), bytesText(size.targetBytes))
	}
	if ok && corrupt > 0 && size.targetBytes < current {
		size.targetBytes = current
		size.say("%d corrupt measurements may hide a peak, so it stays at the present request, %s.", corrupt, bytesText(current))
	}
	if c.OOMFloorBytes > size.targetBytes {
		size.targetBytes, size.oomRaised = c.OOMFloorBytes, true
		size.say("raised to %s after an out-of-memory kill.", bytesText(c.OOMFloorBytes))
	}
	return size
}

// before tells of a higher peak that is too old to be sized from.
func (s *memorySize) before() string {
	if s.everBytes == s.peakBytes {
		return ""
	}
	return fmt.Sprintf(" (before that up to %s)", bytesText(s.everBytes))
}

func (s *memorySize) say(format string, args ...any) {
	s.trail = append(s.trail, "Memory: "+fmt.Sprintf(format, args...))
}

// bytesText formats bytes in the unit that gives at least one digit before the point.
func bytesText(n int64) string {
	const kib = 1 << 10
	switch x := float64(n); {
	case n >= kib*kib*kib:
		return fmt.Sprintf("%.2f GiB", x/(kib*kib*kib))
	case n >= kib*kib:
		return fmt.Sprintf("%.1f MiB", x/(kib*kib))
	case n >= kib:
		return fmt.Sprintf("%.1f KiB", x/kib)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
