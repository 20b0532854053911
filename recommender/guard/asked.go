package guard

import (
	"fmt"
	"time"
)

// asked gives what the template asks for, at least, where a person has lately raised its memory: they may know what the next
// version needs, and history does not. It is for as long as memory has to be measured before it is lowered. Who raises only the limit
// is heard for the limit only.
//
// Example: 700Mi in force, the template goes from 1Gi to 4Gi → 4Gi, for two weeks.
func asked(d *draft) {
	for _, s := range d.sizes {
		a, template := s.memory, d.template[s.memory.container]
		since, limitSince := d.memoryAsked(s.container)
		if d.stillAsked(since) || d.stillAsked(limitSince) {
			a.askedLimit = template.Limits.MemoryBytes
		}
		if !d.stillAsked(since) {
			continue
		}
		least := roundUp(memoryName, template.Requests.MemoryBytes)
		if a.ceiling > 0 {
			least = min(least, a.ceiling)
		}
		a.atLeast = move{max(a.atLeast.target, least), max(a.atLeast.inPlace, least)}
		d.set(a, move{a.target, a.inPlace}, "asked", fmt.Sprintf("the template asks for %s since %s, and was raised to it by a person",
			a.format(template.Requests.MemoryBytes), since.UTC().Format("2006-01-02 15:04 UTC")))
	}
}

func (d *draft) stillAsked(since time.Time) bool {
	return !since.IsZero() && d.in.Now.Sub(since) < hoursToLowerMemory*time.Hour
}

// memoryAsked returns when the template last began to ask for more memory, and when its limit last rose; zero for what never did
// while somebody looked.
func (d *draft) memoryAsked(c Container) (request, limit time.Time) {
	known, template := d.in.Memory.Containers[c.Name], d.template[c.Name]
	since := func(last time.Time, before, now int64) time.Time {
		if !c.DefaultMemory && before > 0 && now > before && !d.trifle(before, now) {
			return d.in.Now
		}
		return last
	}
	return since(known.MemoryAsked, known.TemplateMemory.RequestBytes, template.Requests.MemoryBytes),
		since(known.MemoryLimitAsked, known.TemplateMemory.LimitBytes, template.Limits.MemoryBytes)
}
