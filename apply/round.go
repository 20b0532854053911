package apply

import "math"

// MiB is one mebibyte in bytes, the step of every memory amount.
const MiB int64 = 1 << 20

// maxMemory is the largest whole number of mebibytes that an int64 holds.
const maxMemory = math.MaxInt64 / MiB * MiB

// Round is the only rounding in Loadline: up, CPU in steps of one millicore, memory in steps of one MiB.
//
// CPU is a whole number of millicores already. Negative amounts become 0, which means none; memory near the largest int64
// saturates at a whole number of MiB. Round is monotone and idempotent: Round(Round(a)) == Round(a).
func Round(a Amounts) Amounts {
	return Amounts{CPUMillis: max(a.CPUMillis, 0), MemoryBytes: roundMemory(a.MemoryBytes)}
}

func roundMemory(bytes int64) int64 {
	switch {
	case bytes <= 0:
		return 0
	case bytes >= maxMemory:
		return maxMemory
	}
	return (bytes + MiB - 1) / MiB * MiB
}
