package advice

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes a text that anyone may have written fit to be shown to a model or to a person: valid UTF-8 of at most maxRunes
// characters, an ellipsis included where it was cut, in which
//
//   - chat-template tokens such as <|eot_id|> are gone, also those that appear when others are taken out: servers parse them
//     wherever they stand, and such a token would end the user's turn;
//   - control characters are spaces, and runs of white space one space;
//   - invisible characters are gone that reorder or hide text: bidi marks, embeddings, overrides and isolates, zero-width
//     spaces, byte order marks, tag characters. The joiners that Persian, Indic scripts and emoji need stay.
//
// Text of any language survives.
func Clean(text string, maxRunes int) string {
	text = strings.ToValidUTF8(text, "�")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case invisible(r):
			return -1
		}
		return r
	}, text)
	text = dropTokens(text)
	return truncate(strings.Join(strings.Fields(text), " "), maxRunes)
}

// invisible reports characters that no reader sees: formats except the joiners U+200C and U+200D, and unassigned or private
// ones that terminals and models read as they like.
func invisible(r rune) bool {
	if r == '\u200c' || r == '\u200d' {
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs)
}

// dropTokens takes out what looks like a special token until none is left.
func dropTokens(text string) string {
	if !strings.Contains(text, "<|") { // as nearly always
		return strings.ReplaceAll(text, "|>", "| >")
	}
	token := regexp.MustCompile(`<\|[^|<>]{0,64}\|>`)
	for {
		next := token.ReplaceAllString(text, " ")
		if next == text {
			// Half a token could become a whole one beside other text.
			return strings.ReplaceAll(strings.ReplaceAll(text, "<|", "< |"), "|>", "| >")
		}
		text = next
	}
}

// truncate cuts a text to at most maxRunes characters.
func truncate(text string, maxRunes int) string {
	if utf8.RuneCountInString(text) <= maxRunes {
		return text
	}
	if maxRunes <= 0 {
		return ""
	}
	return strings.TrimSpace(string([]rune(text)[:maxRunes-1])) + "…"
}
