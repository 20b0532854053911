package v1alpha1

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Bounds of what people write. They keep a namespace's annotations readable and the advice input small.
const (
	// MaxContextRunes is the longest context, in characters.
	MaxContextRunes = 2000
	// MaxEvents is the largest number of event annotations on one object.
	MaxEvents = 20
	// MaxExcludedContainers is the largest number of names in exclude-containers.
	MaxExcludedContainers = 32
)

// annotationParser reads a value without surrounding white space. It returns what is legal if it refuses, else "".
type annotationParser func(value string, into *Settings) (legal string)

// annotationParsers has one entry for each key that people write, except the events.
var annotationParsers = map[string]annotationParser{
	AnnotationMode:     oneOf(modes, func(s *Settings, v Mode) { s.Mode = v }),
	AnnotationPriority: oneOf(priorities, func(s *Settings, v Priority) { s.Priority = v }),
	AnnotationApproval: oneOf(approvals, func(s *Settings, v Approval) { s.Approval = v }),
	AnnotationReplicas: oneOf(replicaModes, func(s *Settings, v ReplicaMode) { s.Replicas = v }),
	AnnotationUpdater:  oneOf(updaterModes, func(s *Settings, v UpdaterMode) { s.Updater = v }),

	AnnotationPolicy:            parsePolicy,
	AnnotationContext:           parseContext,
	AnnotationExcludeContainers: parseExcludeContainers,
}

// ownedKeys are written by Loadline itself and never refused.
var ownedKeys = []string{
	AnnotationOriginal, AnnotationRevision, AnnotationResized, AnnotationOriginalReplicas, AnnotationScaled, AnnotationRaisedMinimum,
}

// IsSetting reports whether people write an annotation of this key on namespaces and workloads.
func IsSetting(key string) bool {
	_, known := annotationParsers[key]
	return known || strings.HasPrefix(key, AnnotationEventPrefix)
}

// ParseAnnotations reads what people wrote under loadline.dev/ on a namespace or a workload. Other annotations, and those
// that Loadline itself writes, are skipped.
//
// White space around a value is ignored; capital letters are not. An empty value is refused: whoever wants the default
// removes the annotation. A refused annotation leaves its setting unset, and does not affect the others. The refusals are in
// the order of their keys.
func ParseAnnotations(annotations map[string]string) (Settings, []AnnotationError) {
	var settings Settings
	var refused []AnnotationError
	events := 0
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if !strings.HasPrefix(key, Group+"/") || slices.Contains(ownedKeys, key) {
			continue
		}
		if strings.HasPrefix(key, AnnotationEventPrefix) {
			events++
			if events > MaxEvents {
				continue
			}
		}
		if legal := parseAnnotation(key, strings.TrimSpace(annotations[key]), &settings); legal != "" {
			refused = append(refused, AnnotationError{Key: key, Value: annotations[key], Legal: legal})
		}
	}
	if events > MaxEvents {
		refused = append(refused, AnnotationError{
			Key:   tooManyEventsKey,
			Value: fmt.Sprintf("%d events", events),
			Legal: fmt.Sprintf("at most %d events on one object; the first %d by name are used", MaxEvents, MaxEvents),
		})
	}
	return settings, refused
}

func parseAnnotation(key, value string, into *Settings) (legal string) {
	if name, isEvent := strings.CutPrefix(key, AnnotationEventPrefix); isEvent {
		return parseEvent(name, value, into)
	}
	parse, known := annotationParsers[key]
	switch {
	case !known:
		return legalKeys(key)
	case value == "":
		return "a value; remove the annotation to get the default"
	default:
		return parse(value, into)
	}
}

// tooManyEventsKey stands for all events of an object in an AnnotationError.
const tooManyEventsKey = AnnotationEventPrefix + "*"

func countEvents(annotations map[string]string) int {
	n := 0
	for key := range annotations {
		if strings.HasPrefix(key, AnnotationEventPrefix) {
			n++
		}
	}
	return n
}

// Changed compares the annotations of an object before and after a write, and sorts what is bad in after: refused are
// those that this write adds or changes, standing are those that were stored before and are left as they were.
// Before is nil for an object that is being created. A write is refused for the former and only warned about the latter, so
// that an old mistake never blocks an unrelated change.
func Changed(before, after map[string]string) (refused, standing []AnnotationError) {
	_, bad := ParseAnnotations(after)
	for _, e := range bad {
		old, stored := before[e.Key]
		unchanged := stored && old == e.Value
		if e.Key == tooManyEventsKey {
			unchanged = countEvents(after) <= countEvents(before)
		}
		if unchanged {
			standing = append(standing, e)
		} else {
			refused = append(refused, e)
		}
	}
	return refused, standing
}

// WantsAdmissionLabel reports whether a namespace with these annotations carries LabelAdmission: its mode injects at admission.
// The label only widens what the API server sends; the webhook decides by the annotations.
func WantsAdmissionLabel(annotations map[string]string) bool {
	return Mode(strings.TrimSpace(annotations[AnnotationMode])).Admits()
}

// oneOf accepts exactly the values in legal.
func oneOf[T ~string](legal []T, set func(*Settings, T)) annotationParser {
	names := make([]string, len(legal))
	for i, v := range legal {
		names[i] = string(v)
	}
	message := "one of " + strings.Join(names, ", ")
	return func(value string, into *Settings) string {
		if !slices.Contains(legal, T(value)) {
			return message
		}
		set(into, T(value))
		return ""
	}
}

func parsePolicy(value string, into *Settings) string {
	if len(validation.IsDNS1123Subdomain(value)) > 0 {
		return "the name of a SizingPolicy in this namespace: at most 253 lower case letters, digits, '-' and '.'"
	}
	into.Policy = value
	return ""
}

func parseContext(value string, into *Settings) string {
	if !utf8.ValidString(value) {
		return "text in UTF-8"
	}
	if n := utf8.RuneCountInString(value); n > MaxContextRunes {
		return fmt.Sprintf("a text of at most %d characters; this one has %d", MaxContextRunes, n)
	}
	into.Context = value
	return ""
}

func parseExcludeContainers(value string, into *Settings) string {
	const legal = "names of containers, separated by commas; each has at most 63 lower case letters, digits and '-'"
	var names []string
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if len(validation.IsDNS1123Label(name)) > 0 {
			return legal
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > MaxExcludedContainers {
			return fmt.Sprintf("at most %d names of containers", MaxExcludedContainers)
		}
	}
	into.ExcludeContainers = names
	return ""
}

// legalKeys says which keys there are, and which of them is nearest to an unknown one.
func legalKeys(unknown string) string {
	if unknown == LabelAdmission {
		return "not as an annotation: it is a label that Loadline sets itself; write " + AnnotationMode
	}
	const anyEvent = AnnotationEventPrefix + "<name>"
	keys := append(slices.Sorted(maps.Keys(annotationParsers)), anyEvent)
	all := "the keys are " + strings.Join(keys, ", ")

	const maxTypos = 2
	written := strings.TrimPrefix(unknown, Group+"/")
	if strings.HasPrefix(written, "event") {
		return anyEvent + " (did you mean that?); " + all
	}
	nearest, best := "", maxTypos+1
	for _, key := range keys {
		if d := editDistance(written, strings.TrimPrefix(key, Group+"/")); d < best {
			nearest, best = key, d
		}
	}
	if nearest != "" {
		return nearest + " (did you mean that?); " + all
	}
	return all
}

// editDistance is the Levenshtein distance of two strings in bytes: the least number of insertions, deletions and
// replacements that turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
