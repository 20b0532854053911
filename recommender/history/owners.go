package history

import "strings"

const (
	// safeAlphabet is what Kubernetes makes random names and hashes of: no vowels, nothing that looks like another.
	safeAlphabet = "bcdfghjklmnpqrstvwxz2456789"
	// randomLen is the length of the random end of a pod's name.
	randomLen = 5
	// maxHashLen is the length of the largest pod template hash, a 32-bit number in decimal digits.
	maxHashLen = 10
	// maxBaseLen is what is kept of the part before the random end: a pod's name has at most 63 characters.
	maxBaseLen = 63 - randomLen
)

// workloadKey names a workload within its namespace.
type workloadKey struct{ kind, name string }

// owners tells which workload a pod belongs to. Pods that exist are known by their owner references. Of others, the name
// decides:
//
//	Deployment   api-6d4cf56db6-x2k9z   name - template hash - random
//	DaemonSet    agent-x2k9z            name - random
//	StatefulSet  db-0                   name - ordinal
//	CronJob      report-29384756-x2k9z  name - minutes since 1970 - random, and before that the index of an indexed Job
//
// Where several fit, the longest workload name wins. Two of the same length are a DaemonSet and a StatefulSet of the same
// name: then the DaemonSet wins, because an ordinal of five digits is the rarer thing.
type owners struct {
	live  map[string]workloadKey
	named map[workloadKey]bool
	// alike are the workloads of other kinds whose pods are named like those of the Deployment that is the key.
	alike map[workloadKey]workloadKey
	// long are Deployments and DaemonSets whose pods' names may be cut off.
	long []workloadKey
}

func newOwners(keys []workloadKey, targets []Target) owners {
	o := owners{live: map[string]workloadKey{}, named: map[workloadKey]bool{}, alike: map[workloadKey]workloadKey{}}
	for _, t := range targets {
		if t.ReplicaSets {
			o.alike[workloadKey{"Deployment", t.Name}] = workloadKey{t.Kind, t.Name}
		}
		for _, pod := range t.Pods {
			o.live[pod] = workloadKey{t.Kind, t.Name}
		}
	}
	for _, k := range keys {
		o.named[k] = true
		if len(k.name)+len("-")+maxHashLen+len("-") > maxBaseLen {
			o.long = append(o.long, k)
		}
	}
	return o
}

// of returns the workload of a pod, or false if it belongs to none that is known.
func (o owners) of(pod string) (workloadKey, bool) {
	if k, ok := o.live[pod]; ok {
		return k, true
	}
	for _, k := range candidates(pod) {
		if o.named[k] {
			return k, true
		}
		if other, ok := o.alike[k]; ok {
			return other, true
		}
	}
	return o.ofCut(pod)
}

// candidates returns the workloads whose pods are named like this, the longest name first.
func candidates(pod string) []workloadKey {
	base, end, ok := cutLast(pod)
	if !ok {
		return nil
	}
	var found []workloadKey
	random := len(end) == randomLen && safe(end)
	if random {
		found = append(found, workloadKey{"DaemonSet", base})
	}
	if isOrdinal(end) {
		found = append(found, workloadKey{"StatefulSet", base})
	}
	if name, _, ok := cutRun(pod); ok {
		found = append(found, workloadKey{kindCronJob, name})
	}
	if name, hash, ok := cutLast(base); ok && random && len(hash) <= maxHashLen && safe(hash) {
		found = append(found, workloadKey{"Deployment", name})
	}
	return found
}

// ofCut finds the workload of a pod whose name was cut to 63 characters: its random end then follows 58 others directly.
func (o owners) ofCut(pod string) (found workloadKey, ok bool) {
	if len(pod) != maxBaseLen+randomLen || !safe(pod[maxBaseLen:]) {
		return workloadKey{}, false
	}
	base := pod[:maxBaseLen]
	for _, k := range o.long {
		if len(k.name) > len(found.name) && cutFits(k, base) {
			found, ok = k, true
		}
	}
	return found, ok
}

// cutFits reports whether base can be the first 58 characters of the names of k's pods.
func cutFits(k workloadKey, base string) bool {
	start := k.name + "-"
	if len(start) >= maxBaseLen {
		return (k.kind == "DaemonSet" || k.kind == "Deployment") && start[:maxBaseLen] == base
	}
	hash, ok := strings.CutPrefix(base, start)
	return ok && k.kind == "Deployment" && len(hash) <= maxHashLen && safe(hash)
}

// cutLast splits at the last dash.
func cutLast(name string) (before, after string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || i == len(name)-1 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

func safe(s string) bool { return s != "" && strings.Trim(s, safeAlphabet) == "" }

func isOrdinal(s string) bool {
	return strings.Trim(s, "0123456789") == "" && len(s) <= maxHashLen && (s == "0" || s[0] != '0')
}
