package dashboard_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/loadline-dev/loadline/internal/testkit"
)

// TestColoursStandOutInBothThemes holds every pair of colours to what WCAG 2.2 asks: 4.5 for text, 3 for the edge of a field.
func TestColoursStandOutInBothThemes(t *testing.T) {
	status, sheet := get(t, busy(t, 1), "style.css")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	light, dark := map[string]string{}, map[string]string{}
	variable := regexp.MustCompile(`--([\w-]+):\s*(#[0-9a-f]{3,6})`)
	for _, block := range regexp.MustCompile(`(?s)(@media \(prefers-color-scheme:\s*dark\)\s*\{\s*)?:root\s*\{([^}]*)\}`).FindAllStringSubmatch(sheet, -1) {
		into := light
		if block[1] != "" {
			into = dark
		}
		for _, match := range variable.FindAllStringSubmatch(block[2], -1) {
			into[match[1]] = match[2]
		}
	}
	for name, theme := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, pair := range []struct {
			text, ground string
			least        float64
		}{
			{"ll-ink", "panel", 7},
			{"ll-ink", "page", 7},
			{"ll-soft", "panel", 4.5},
			{"ll-soft", "page", 4.5},
			{"link", "panel", 4.5},
			{"link", "page", 4.5},
			{"panel", "link", 4.5},
			{"good", "good-tint", 4.5},
			{"warn", "warn-tint", 4.5},
			{"bad", "bad-tint", 4.5},
			{"plain", "plain-tint", 4.5},
			{"good", "panel", 4.5},
			{"warn", "panel", 4.5},
			{"field", "panel", 3},
			{"ll-s0", "panel", 3},
			{"ll-s1", "plain-tint", 3},
			{"ll-s2", "plain-tint", 3},
		} {
			if theme[pair.text] == "" || theme[pair.ground] == "" {
				t.Fatalf("%s: no colour %s or %s", name, pair.text, pair.ground)
			}
			if got := testkit.Contrast(t, theme[pair.text], theme[pair.ground]); got < pair.least {
				t.Errorf("%s theme: %s on %s has a contrast of %.2f, want %.1f", name, pair.text, pair.ground, got, pair.least)
			}
		}
	}
	if !strings.Contains(sheet, "prefers-reduced-motion") || !strings.Contains(sheet, ":focus-visible") {
		t.Error("motion is not reduced for those who ask, or the focus is not shown")
	}
}
