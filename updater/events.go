package updater

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// maxNoteBytes is what the API server allows the note of an Event. It refuses the whole Event otherwise.
const maxNoteBytes = 1 << 10

// brief records Events, and cuts notes that are too long: what a policy says of a pod may be.
type brief struct{ events.EventRecorder }

// Eventf implements events.EventRecorder.
//
//nolint:revive // the interface has as many arguments
func (b brief) Eventf(about, related runtime.Object, kind, reason, action, note string, args ...any) {
	text := fmt.Sprintf(note, args...)
	if len(text) > maxNoteBytes {
		const ellipsis = "…"
		text = strings.ToValidUTF8(text[:maxNoteBytes-len(ellipsis)], "") + ellipsis // Without half a character.
	}
	b.EventRecorder.Eventf(about, related, kind, reason, action, "%s", text)
}
