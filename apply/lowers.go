package apply

// Lowers reports whether any container of both gets less of anything. A limit where there was none takes something away: no limit
// is the most.
func Lowers(from, to map[string]Resources) bool {
	for name, want := range to {
		if have, known := from[name]; known && have.Lowers(want) {
			return true
		}
	}
	return false
}

// Lowers reports whether another size of the container is less of anything.
func (r Resources) Lowers(to Resources) bool {
	limit := func(from, to int64) bool { return to > 0 && (from == 0 || to < from) }
	return to.Requests.CPUMillis < r.Requests.CPUMillis || to.Requests.MemoryBytes < r.Requests.MemoryBytes ||
		limit(r.Limits.CPUMillis, to.Limits.CPUMillis) || limit(r.Limits.MemoryBytes, to.Limits.MemoryBytes)
}
