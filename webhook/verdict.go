package webhook

import (
	"slices"
	"strings"
)

// maxRefusalBytes bounds a message that people read in a terminal.
const maxRefusalBytes = 4096

// verdict refuses for the first list and warns about the second: mistakes that this request makes, and those that were stored
// before it.
func verdict(refused, standing []string) answer {
	switch {
	case len(refused) > 0:
		return answer{outcome: outcomeRefused, refusal: shorten(strings.Join(refused, "; "), maxRefusalBytes), warnings: standing}
	case len(standing) > 0:
		return answer{outcome: outcomeWarned, warnings: standing}
	default:
		return answer{outcome: outcomeAllowed}
	}
}

// warn adds a warning.
func (a answer) warn(text string) answer {
	a.warnings = append(slices.Clip(a.warnings), text)
	if a.outcome == outcomeAllowed {
		a.outcome = outcomeWarned
	}
	return a
}

// ratchet sorts mistakes by whether the object had them before.
func ratchet(before, after []string) (refused, standing []string) {
	for _, mistake := range after {
		if slices.Contains(before, mistake) {
			standing = append(standing, mistake)
		} else {
			refused = append(refused, mistake)
		}
	}
	return refused, standing
}

func errorStrings[E error](errs []E) []string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return texts
}
