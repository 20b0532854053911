package guard

import "fmt"

// historySlackHours is how much shorter than before a history may be and still lower memory: gaps of a few hours come and
// go, a day is a part of the season.
const historySlackHours = 24

// shortHistory never lowers memory from less history than the present target rests on: a store that was lost, or a
// Prometheus that was replaced, has forgotten the peak of last week.
//
// Example: the target rests on 672 h; after the loss 400 h are there → raising only.
func shortHistory(d *draft) {
	for _, s := range d.sizes {
		before := d.in.Memory.Containers[s.container.Name].MemoryHistoryHours
		if s.memory.hours+historySlackHours < before {
			d.raiseOnly(s.memory, "short-history",
				fmt.Sprintf("%d h of history are there, the present target rests on %d h", s.memory.hours, before))
		}
	}
}
