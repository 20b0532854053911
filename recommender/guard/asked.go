package guard

import (
	"fmt"
	"time"
)

// asked gives what the template asks for, at least, where a person has lately raised its memory: they may know what the next
// version needs, and history does not. It is for as long as memory has to be measured before it is lowered.
//
// Example: 700Mi in force, the template goes from 1Gi to 4Gi → 4Gi, for two weeks.
func asked(d *draft) {
	for _, s := range d.sizes {
		a, since := s.memory, d.memoryAsked(s.container)
		if since.IsZero() || d.in.Now.Sub(since) >= hoursToLowerMemory*time.Hour {
			continue
		}
		template := d.template[a.container]
		least := roundUp(memoryName, template.Requests.MemoryBytes)
		if a.ceiling > 0 {
			least = min(least, a.ceiling)
		}
		a.atLeast = move{max(a.atLeast.target, least), max(a.atLeast.inPlace, least)}
		a.askedLimit = template.Limits.MemoryBytes
		d.set(a, move{a.target, a.inPlace}, "asked", fmt.Sprintf("the template asks for %s since %s, and was raised to it by a person",
			a.format(template.Requests.MemoryBytes), since.UTC().Format("2006-01-02 15:04 UTC")))
	}
}

// memoryAsked returns when the template last began to ask for more memory; zero if it never did while somebody looked.
func (d *draft) memoryAsked(c Container) time.Time {
	known, template := d.in.Memory.Containers[c.Name], d.template[c.Name]
	more := func(before, now int64) bool { return before > 0 && now > before && !d.trifle(before, now) }
	if more(known.TemplateMemory.RequestBytes, template.Requests.MemoryBytes) || more(known.TemplateMemory.LimitBytes, template.Limits.MemoryBytes) {
		return d.in.Now
	}
	return known.MemoryAsked
}
