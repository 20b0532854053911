package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// width at which sentences are wrapped. What commands print is left as it is.
const width = 100

// screen is where the story is told.
type screen struct {
	out    io.Writer
	colour bool
	begun  time.Time

	mu sync.Mutex // held while a paragraph is written
}

// newScreen uses colours on a terminal only, and not where NO_COLOR asks for none.
func newScreen(file *os.File) *screen {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &screen{out: file, colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", begun: time.Now()}
}

// Colours as ANSI escape sequences.
const (
	bold  = "\x1b[1m"
	cyan  = "\x1b[36m"
	grey  = "\x1b[90m"
	red   = "\x1b[31m"
	reset = "\x1b[0m"
)

func (s *screen) print(colour, text string) {
	if s.colour && colour != "" {
		text = colour + strings.ReplaceAll(text, "\n", reset+"\n"+colour) + reset
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintln(s.out, text) // nowhere left to report a failure to
}

// heading begins a step.
func (s *screen) heading(text string) {
	s.print(bold, "\n"+text+"\n"+strings.Repeat("─", utf8.RuneCountInString(text)))
}

// say tells in sentences what something means.
func (s *screen) say(format string, args ...any) {
	s.print("", "\n"+wrap(fmt.Sprintf(format, args...), width))
}

// command shows a command line as it is run.
func (s *screen) command(line string) {
	s.print(cyan, "\n$ "+line)
}

// output shows at most so many lines of what a command printed, and says how many were left out.
func (s *screen) output(text string, lines int) {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	s.print("", strings.Join(all[:min(lines, len(all))], "\n"))
	if left := len(all) - lines; left > 0 {
		s.progress("%d more lines are not shown", left)
	}
}

// progress tells what goes on beside the story.
func (s *screen) progress(format string, args ...any) {
	s.print(grey, fmt.Sprintf("[%5.1f s] ", time.Since(s.begun).Seconds())+fmt.Sprintf(format, args...))
}

func (s *screen) failure(format string, args ...any) {
	s.print(red, "\n"+fmt.Sprintf(format, args...))
}

// Write takes the progress lines of the cluster. They begin with a time of their own, which gives way to that of the story.
func (s *screen) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if timed, ok := strings.CutPrefix(line, "e2e "); ok {
			_, line, _ = strings.Cut(strings.TrimSpace(timed), "  ")
		}
		s.progress("%s", line)
	}
	return len(text), nil
}

// announced is the time after which something that takes long is announced, and announced again.
const announced = 5 * time.Second

// during runs something and says every five seconds that it still goes on.
func (s *screen) during(what string, do func() error) error {
	done := make(chan error, 1)
	begun := time.Now()
	go func() { done <- do() }()
	tick := time.NewTicker(announced)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			s.progress("%s, for %.0f s so far", what, time.Since(begun).Seconds())
		}
	}
}

// wrap breaks text between words so that no line is longer than limit, if that is possible.
func wrap(text string, limit int) string {
	var b strings.Builder
	used := 0
	for word := range strings.FieldsSeq(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case used == 0:
		case used+1+length > limit:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += length
	}
	return b.String()
}
