package advice

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// token is a number, a word in lower case, or a single other character that is not white space.
type token struct {
	text string
	// number and digits are set for numbers: the value, and of how many digits it was written.
	number, digits int
	// figure is a number in ASCII digits, as they are written, also where it is too long to be one.
	figure string
	// glued tells that no white space stands before it.
	glued bool
}

func (t token) isNumber() bool { return t.digits > 0 }

// maxDigits of a number; longer ones are identifiers.
const maxDigits = 9

// tokens divides a text. Han characters stand for themselves, one token each, except numerals, which become numbers: 十一月
// is 11 and 月.
func tokens(text string) []token {
	var out []token
	glued := false
	for runes := []rune(text); len(runes) > 0; {
		if unicode.IsSpace(runes[0]) {
			runes, glued = runes[1:], false
			continue
		}
		t, n := nextToken(runes)
		t.glued = glued
		out, runes, glued = append(out, t), runes[n:], true
	}
	return out
}

// nextToken returns the token at the start of a text, and how many characters it takes.
func nextToken(runes []rune) (token, int) {
	r := runes[0]
	switch {
	case digit(r) >= 0:
		n := lengthOf(runes, func(r rune) bool { return digit(r) >= 0 })
		return numberToken(runes[:n]), n
	case unicode.Is(unicode.Han, r):
		n := lengthOf(runes, isHanDigit)
		if value, ok := hanNumber(runes[:n]); ok {
			return token{number: value, digits: 1, figure: strconv.Itoa(value)}, n
		}
		return token{text: string(r)}, 1
	case isLetter(r):
		n := lengthOf(runes, func(r rune) bool { return isLetter(r) && !unicode.Is(unicode.Han, r) })
		return token{text: strings.ToLower(string(runes[:n]))}, n
	}
	return token{text: string(r)}, 1
}

// lengthOf returns how many characters at the start of a text are of a kind.
func lengthOf(runes []rune, kind func(rune) bool) int {
	if n := slices.IndexFunc(runes, func(r rune) bool { return !kind(r) }); n >= 0 {
		return n
	}
	return len(runes)
}

func numberToken(digits []rune) token {
	var figure strings.Builder
	number := 0
	for _, r := range digits {
		figure.WriteByte(byte('0' + digit(r)))
		number = 10*number + digit(r) // Not used where it overflows.
	}
	t := token{figure: figure.String()}
	if len(digits) > maxDigits {
		t.text = "#"
		return t
	}
	t.number, t.digits = number, len(digits)
	return t
}

// isLetter counts marks as letters: Indic and Arabic words hold them.
func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }

// isName reports whether a word in front of a number makes a name of it: a Latin one does, except in "x3".
func isName(word string) bool {
	return word != "x" && word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") == ""
}

func isHanDigit(r rune) bool {
	_, _, ok := hanDigit(r)
	return ok
}

// separators of fractions and of thousands.
const separators = ". , ٫ ٬ ’ '"

// numbers returns the numbers that a text names, in hundredths: digits of any script with or without a fraction or grouping,
// Han numerals, and number words. Parts of names (A1, v2) and ordinals (3rd) are none.
func numbers(all []token) []int {
	var out []int
	for i, t := range all {
		r := reader{all: all, at: i}
		switch {
		case !t.isNumber():
			if n := multiplier(t.text); n > 0 {
				out = append(out, 100*n)
			}
		case !r.partOfMore():
			out = append(out, 100*t.number)
			if n, ok := r.withFraction(); ok {
				out = append(out, n)
			}
		}
	}
	return out
}

// partOfMore reports whether a number is the fraction of another, part of a name, or an ordinal.
func (r reader) partOfMore() bool {
	t, before := r.token(0), r.token(-1)
	fraction := t.glued && oneOf(separators, before.text) && before.glued && r.number(-2)
	return fraction || t.glued && isName(before.text) || r.token(1).glued && oneOf("st nd rd th", r.text(1))
}

// withFraction returns a number with its fraction of one or two digits, or with its group of thousands, in hundredths.
func (r reader) withFraction() (int, bool) {
	if !oneOf(separators, r.text(1)) || !r.token(1).glued || !r.token(2).glued {
		return 0, false
	}
	whole, part := r.value(0), r.value(2)
	switch r.token(2).digits {
	case 1:
		return 100*whole + 10*part, true
	case 2:
		return 100*whole + part, true
	case 3:
		return 100 * (1000*whole + part), true
	}
	return 0, false
}
