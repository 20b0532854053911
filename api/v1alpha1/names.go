package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// RecommendationName is the name of the Recommendation of a workload: <kind>-<name> in lower case.
//
// Where that is longer than 252 characters or not a legal name, its end is replaced by a hash of kind and name. A long name
// becomes one of exactly 253 characters, so it never meets one that was left whole. Kinds hold no '-', so two workloads
// never share a name.
func RecommendationName(kind, name string) string {
	plain := strings.ToLower(kind) + "-" + name
	if len(plain) < validation.DNS1123SubdomainMaxLength && len(validation.IsDNS1123Subdomain(plain)) == 0 {
		return plain
	}
	sum := sha256.Sum256([]byte(plain))
	hash := hex.EncodeToString(sum[:])
	room := validation.DNS1123SubdomainMaxLength - len("-") - len(hash)
	prefix := strings.TrimLeft(strings.Map(labelByte, strings.ToLower(plain)), "-")
	return strings.TrimLeft(prefix[:min(room, len(prefix))]+"-"+hash, "-")
}

// labelByte replaces what may not stand everywhere in a DNS label by a hyphen.
func labelByte(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}
