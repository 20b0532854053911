package main

import (
	"strings"
	"testing"
	"time"
)

func TestProgressSaysHowLongItWillTakeOnceItTakesLong(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, "grid", 10)
	p.add(1)
	p.finish()
	if out.String() != "" {
		t.Errorf("after no time it says %q", out.String())
	}
	p.started = time.Now().Add(-20 * time.Second)
	p.add(1)
	p.add(3) // too soon after the line before
	p.finish()
	want := "    grid: 2 of 10, 20 s, about 80 s to go\n    grid: 5 of 10, 20 s, about 20 s to go\n"
	if out.String() != want {
		t.Errorf("it says %q, want %q", out.String(), want)
	}
}
