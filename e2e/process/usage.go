package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage of a process since its start.
type Usage struct {
	// CPU time of all threads.
	CPU time.Duration
	// Resident memory in bytes, now and at most so far.
	Resident, Peak int64
}

// tick is the unit of times in /proc, the same on all platforms that Go runs on.
const tick = 10 * time.Millisecond

// UsageOf reads /proc, which only Linux has.
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	// The name of the command, in parentheses, may hold spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, userErr := strconv.ParseInt(fields[11], 10, 64)
	system, systemErr := strconv.ParseInt(fields[12], 10, 64)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || userErr != nil || systemErr != nil {
		return Usage{}, fmt.Errorf("cannot read what process %d uses", pid)
	}
	u := Usage{CPU: time.Duration(user+system) * tick}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmRSS": &u.Resident, "VmHWM": &u.Peak}[key]
		if into == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("read %s of process %d: %w", key, pid, err)
		}
		*into = kib << 10
	}
	return u, nil
}
