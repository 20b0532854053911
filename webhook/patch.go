package webhook

import (
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
)

// Patches are built path by path, from the differences that Loadline wants, and never by writing a whole object back: what
// this version does not know about an object passes through untouched.

// pointer joins the parts of a JSON pointer (RFC 6901).
func pointer(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteByte('/')
		b.WriteString(pointerEscaper.Replace(part))
	}
	return b.String()
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// setEntries adds or replaces entries of a map of strings at the given pointer. present tells whether the object has that map.
func setEntries(at string, present bool, entries map[string]string) []jsonpatch.JsonPatchOperation {
	if len(entries) == 0 {
		return nil
	}
	if !present {
		return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", at, entries)}
	}
	ops := make([]jsonpatch.JsonPatchOperation, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		ops = append(ops, jsonpatch.NewOperation("add", at+pointer(key), entries[key]))
	}
	return ops
}

// setAnnotations writes annotations that differ from those the object has.
func setAnnotations(has, want map[string]string) []jsonpatch.JsonPatchOperation {
	changed := map[string]string{}
	for key, value := range want {
		if old, ok := has[key]; !ok || old != value {
			changed[key] = value
		}
	}
	return setEntries("/metadata/annotations", has != nil, changed)
}
