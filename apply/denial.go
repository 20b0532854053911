package apply

import (
	"slices"
	"strings"
	"unicode"
)

// denialTexts are what API server 1.37 writes where an admission webhook, or a ValidatingAdmissionPolicy, refuses an object.
func denialTexts() []string { return []string{"denied the request", "denied request"} }

// Denied reports whether an admission webhook, or a ValidatingAdmissionPolicy, refused something.
func Denied(message string) bool {
	return slices.ContainsFunc(denialTexts(), func(text string) bool { return strings.Contains(message, text) })
}

// isSizeWord reports whether a word is one that a policy that is about sizes can hardly leave out.
func isSizeWord(word string) bool {
	return slices.Contains([]string{"cpu", "memory", "limit", "limits", "ratio", "requests"}, word)
}

// PerhapsForSizes reports whether a message that a pod could not be created leaves it open whether it was for its sizes: a policy refused it, or
// API server 1.37 says that what it asks for is no pod. Neither a quota says so, nor a webhook that does not answer, nor what the pod lacks
// otherwise.
func PerhapsForSizes(message string) bool {
	return Denied(message) || strings.Contains(message, " is invalid: ")
}

// DeniedForSizes reports whether a policy refused something and speaks of sizes in its reason, as far as words tell.
func DeniedForSizes(message string) bool {
	for _, text := range denialTexts() {
		if _, reason, found := strings.Cut(message, text); found {
			words := strings.FieldsFunc(strings.ToLower(reason), func(r rune) bool { return !unicode.IsLetter(r) })
			return slices.ContainsFunc(words, isSizeWord)
		}
	}
	return false
}
