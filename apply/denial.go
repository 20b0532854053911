package apply

import (
	"slices"
	"strings"
)

// denialTexts are what API server 1.37 writes where an admission webhook, or a ValidatingAdmissionPolicy, refuses an object.
func denialTexts() []string { return []string{"denied the request", "denied request"} }

// DeniedByPolicy reports whether a message of the API server says that a policy of the cluster refused something: an admission
// webhook or a ValidatingAdmissionPolicy.
func DeniedByPolicy(message string) bool {
	return slices.ContainsFunc(denialTexts(), func(text string) bool { return strings.Contains(message, text) })
}

// sizeWords are what a policy that is about sizes can hardly leave out.
func sizeWords() []string {
	return []string{"cpu", "memory", "limit", "ratio", "resource", "requests"}
}

// DeniedForSizes reports whether a policy refused something and speaks of sizes in its reason, as far as words tell.
func DeniedForSizes(message string) bool {
	for _, text := range denialTexts() {
		if _, reason, found := strings.Cut(message, text); found {
			reason = strings.ToLower(reason)
			return slices.ContainsFunc(sizeWords(), func(word string) bool { return strings.Contains(reason, word) })
		}
	}
	return false
}
