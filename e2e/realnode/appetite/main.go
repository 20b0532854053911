// Command appetite is what the containers of a real node run: it uses as much CPU and memory as it is told, and ends when it
// is asked to. Without flags it waits, as the container does that keeps a pod's namespaces.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// period in which the CPU is used once, and then nothing is done.
const period = 20 * time.Millisecond

func main() {
	millis := flag.Int("cpu", 0, "CPU to use, in thousandths of a core, at most 1000")
	mebibytes := flag.Int("memory", 0, "memory to hold, in MiB")
	flag.Parse()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)

	debug.SetGCPercent(-1)
	held := hold(*mebibytes)
	fmt.Printf("holding %d MiB\n", len(held))
	for {
		begin := time.Now()
		burn(period * time.Duration(*millis) / 1000)
		rest := time.After(period - time.Since(begin))
		if *millis == 0 {
			rest = nil
		}
		select {
		case <-ended:
			return
		case <-rest:
		}
	}
}

// burn returns when the process has used so much CPU, however long that takes beside others.
func burn(share time.Duration) {
	for until := used() + share; used() < until; {
		continue
	}
}

// used returns the CPU time of the process.
func used() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // never fails for oneself
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// hold takes memory, a mebibyte at a time, and writes to every page.
func hold(mebibytes int) [][]byte {
	held := make([][]byte, mebibytes)
	for i := range held {
		held[i] = make([]byte, 1<<20)
		for j := 0; j < len(held[i]); j += os.Getpagesize() {
			held[i][j] = 1
		}
	}
	return held
}
