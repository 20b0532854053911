package forecast

// workspace is scratch memory that is taken and given back like a stack, so that fitting many models allocates once.
type workspace struct {
	buffer []float64
	used   int
}

// newWorkspace returns one that has to grow only if more than n values are in use at once.
func newWorkspace(n int) *workspace { return &workspace{buffer: make([]float64, n)} }

// take returns n values of any content, which belong to the caller until they are given back.
func (w *workspace) take(n int) []float64 {
	if w.used+n > len(w.buffer) {
		// What was taken before stays where it is; only later takes use the new memory.
		w.buffer = make([]float64, 2*(w.used+n))
	}
	w.used += n
	return w.buffer[w.used-n : w.used : w.used]
}

// give returns the n values that were taken last.
func (w *workspace) give(n int) { w.used -= n }
