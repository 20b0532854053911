package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Write writes the findings for people: what is wrong comes last, where a terminal shows it. Colour marks severities.
func (r Report) Write(w io.Writer, colour bool) error {
	var b strings.Builder
	counts := map[Severity]int{}
	for _, severity := range []Severity{OK, Unseen, Warning, Error} {
		for _, f := range r.Findings {
			if f.Severity != severity {
				continue
			}
			counts[severity]++
			fmt.Fprintf(&b, "%s  %-21s  %s\n", paint(colour, severity), f.Check, f.line())
			if f.Fix != "" {
				fmt.Fprintf(&b, "%-9s%-21s  try: %s\n", "", "", f.Fix)
			}
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d not seen, %d warnings, %d errors\n", counts[OK], counts[Unseen], counts[Warning], counts[Error])
	_, err := io.WriteString(w, b.String())
	return err
}

func (f Finding) line() string {
	if f.Where == "" {
		return f.What
	}
	return f.Where + ": " + f.What
}

// paint writes a severity, seven wide.
func paint(colour bool, s Severity) string {
	text := fmt.Sprintf("%-7s", s)
	codes := map[Severity]string{OK: "32", Unseen: "36", Warning: "33", Error: "31"}
	if !colour {
		return text
	}
	return "\x1b[" + codes[s] + "m" + text + "\x1b[0m"
}
